/**
 * When something can be done.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { busyWith } from '../controls.js';

const idle = { store: { controls: { busy: undefined } }, connected: true, asking: false, outdated: false };

test('a button waits for whatever would make its deed come to nothing, and says why', () => {
  assert.equal(busyWith(idle), undefined);
  for (const [app, why] of /** @type {any[]} */ ([
    [{ ...idle, store: {} }, 'The server has not said yet what it can do.'],
    [{ ...idle, connected: false, outdated: true }, 'The connection to the server is lost.'],
    [{ ...idle, outdated: true }, 'The server was started anew. This page is loaded again.'],
    [{ ...idle, asking: true }, 'The last request is being carried out.'],
    [{ ...idle, store: { controls: { busy: 'the service is being started' } } }, 'the service is being started'],
  ])) {
    assert.equal(busyWith(app), why);
  }
});
