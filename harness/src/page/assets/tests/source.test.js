/**
 * What the page makes of a connection.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listen } from '../source.js';

/** A connection that says what a test has it say. */
class Line extends EventTarget {
  /** @type {Line[]} */
  static all = [];
  /** @param {string} url */
  constructor(url) {
    super();
    this.url = url;
    Line.all.push(this);
  }

  close() {}

  /** @param {string} kind @param {any} [data] @param {string} [id] */
  says(kind, data = {}, id = '') {
    this.dispatchEvent(Object.assign(new Event(kind), { data: JSON.stringify(data), lastEventId: id }));
  }
}

/** What a page hears, in order. */
function heard() {
  /** @type {string[]} */
  const said = [];
  Line.all.length = 0;
  Object.assign(globalThis, { EventSource: Line, addEventListener: () => {} });
  const note = (/** @type {string} */ word) => () => said.push(word);
  listen({ take: note('telling'), stale: (restarted) => said.push(restarted ? 'restarted' : 'stale'), gap: note('gap'), lost: note('lost'), found: note('found'), whole: note('whole') });
  return said;
}

/** The newest connection, open. @returns {any} */
function opened() {
  const line = /** @type {any} */ (Line.all.at(-1));
  line.onopen();
  return line;
}

test('a server that has nothing to tell is not lost while it says that it is alive', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const said = heard();
  const line = opened();
  line.says('live');
  for (let i = 0; i < 12; i += 1) {
    t.mock.timers.tick(5000);
    line.says('alive');
  }
  assert.deepEqual(said, ['found', 'whole']);
  t.mock.timers.tick(20_000);
  assert.deepEqual(said, ['found', 'whole', 'lost']);
});

test('nothing is missing only where all has come and nothing was forgotten', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const said = heard();
  const first = opened();
  first.says('telling', {}, '7-1f');
  first.says('live');
  first.onerror();
  t.mock.timers.tick(500);
  assert.equal(Line.all.at(-1)?.url, '/events?after=7-1f');
  const second = opened();
  assert.deepEqual(said.splice(0), ['found', 'telling', 'whole', 'lost', 'found'], 'not before it is live');
  second.says('live');
  second.onerror();
  t.mock.timers.tick(500);
  const third = opened();
  third.says('stale');
  third.says('live');
  assert.deepEqual(said, ['whole', 'lost', 'found', 'stale']);
});

test('a server that was started anew is told from one that has forgotten', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  for (const restarted of [false, true]) {
    const said = heard();
    const line = opened();
    line.says('stale', { oldest: 1, restarted });
    assert.deepEqual(said, ['found', restarted ? 'restarted' : 'stale']);
  }
});
