/**
 * What is put first, and what the tour does.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sorted, tookOf } from '../history.js';
import { inAll, worstFirst } from '../runs.js';
import { bestOf, figureOf, newestSince, outageOf, servesWithWatchdog } from '../tour.js';

const recovered = (/** @type {number} */ from, /** @type {number} */ took, /** @type {string} */ word = 'pass') => ({
  from, verdict: { word }, over: true, fault: 'mute', phases: [{ phase: 'recovery', from, to: from + took, bound_usec: 5e6 }],
});

test('what failed comes first, then what was slow; what never came back is the slowest, unless it was not to', () => {
  const [quick, slow, failed] = [recovered(1, 10), recovered(2, 20), recovered(3, 5, 'fail')];
  const spared = { from: 4, over: true, phases: [], verdict: { word: 'pass' } };
  const never = { ...spared, verdict: { word: 'fail' } };
  assert.deepEqual(sorted([quick, spared, slow, failed, never], 'failed'), [never, failed, slow, quick, spared]);
  assert.deepEqual(sorted([spared, quick, never, slow], 'slowest'), [never, slow, quick, spared]);
  assert.deepEqual(sorted([quick, failed, slow], 'slowest'), [slow, quick, failed]);
  assert.deepEqual(sorted([quick, failed, slow], 'newest'), [failed, slow, quick]);
  assert.equal(tookOf(never), Infinity);
});

test('runs that did not pass come first', () => {
  const runs = [{ verdict: 'pass', slowest_usec: 5 }, { verdict: 'skip' }, { verdict: 'pass', slowest_usec: 9 }, { verdict: 'fail' }];
  assert.deepEqual(worstFirst(runs).map((run) => run.verdict + (run.slowest_usec ?? '')), ['fail', 'skip', 'pass9', 'pass5']);
  assert.equal(inAll(runs), '4 scenarios: 1 failed, 1 skipped, 2 passed');
});

test('the tour takes the best fault that there is', () => {
  const faults = [{ name: 'spin', available: true }, { name: 'deadlock', available: false }, { name: 'mute', available: true }];
  assert.equal(bestOf(faults, ['deadlock', 'mute', 'spin']), 'mute');
  assert.equal(bestOf(faults, ['crash']), undefined);
});

test('the tour shows what was measured since it asked for it', () => {
  const episodes = new Map([['a', recovered(1, 9)], ['b', recovered(20, 2_000_000)]]);
  assert.equal(newestSince(episodes, undefined, ['mute']), undefined);
  assert.equal(newestSince(episodes, 30, ['mute']), undefined);
  const episode = newestSince(episodes, 10, ['mute']);
  assert.deepEqual(figureOf(episode, {}, 0), { name: 'Served again after', figure: '2 s', bound: 'at most 5 s', done: true });
  assert.deepEqual(figureOf({ from: 0, over: false, phases: [] }, {}, 1_500_000), { name: 'Not back for', figure: '1.5 s', bound: 'nothing bounds it', done: false });
  assert.equal(figureOf(undefined, {}, 0), null);
});

test('of what was ended by hand the tour says so, and neither that it never came back nor that it still hangs', () => {
  const byHand = { figure: 'by hand', done: true };
  const cut = { from: 10, over: true, phases: [], verdict: { word: 'unsound' } };
  const healthy = { word: 'healthy', since: 5_000_000 };
  for (const told of [figureOf(cut, {}, 90_000_000), outageOf(cut, 20, healthy, 90_000_000), outageOf(cut, 20, healthy, 95_000_000)]) {
    assert.equal(told?.name, 'Before it could be measured, it was ended');
    assert.deepEqual({ figure: told?.figure, done: told?.done }, byHand);
  }
  // The next hang is another one.
  assert.equal(outageOf(cut, 20, { word: 'hung', since: 80_000_000 }, 90_000_000)?.figure, 'by hand');
  assert.equal(figureOf({ ...cut, verdict: { word: 'fail' } }, {}, 90_000_000)?.figure, 'not in time');
});

test('the tour counts for how long nobody is served while it hangs, and has what was measured when it is over', () => {
  const hang = { from: 1_000_000, over: false, phases: [] };
  const hung = { word: 'hung', since: 2_000_000 };
  const counts = { name: 'Nobody has been served for', figure: '7.0 s', bound: 'systemd has no timer for this', done: false };
  assert.deepEqual(outageOf(hang, undefined, hung, 9_000_000), counts);
  assert.deepEqual(outageOf({ ...hang, over: true }, 8_000_000, hung, 9_000_000), counts, 'what nobody ends goes on in another case');
  const measured = { ...hang, over: true, phases: [{ phase: 'outage', from: 2_000_000, to: 5_000_000 }] };
  assert.equal(outageOf(measured, 8_000_000, hung, 9_000_000)?.figure, '3 s');
  assert.equal(outageOf(undefined, undefined, hung, 9), null);
});

test('the third act hangs the service once it serves with its watchdog, and not the one that is still to be started anew', () => {
  const on = { watchdog: true };
  const healthy = { word: 'healthy' };
  assert.equal(servesWithWatchdog(on, null, healthy), true);
  for (const [controls, busy, state, what] of /** @type {any[]} */ ([
    [undefined, null, healthy, 'nothing is told yet'],
    [{ watchdog: false }, null, healthy, 'the deed is answered, and its controls are still to come'],
    [on, 'the service is being started', healthy, 'the process of before'],
    [on, null, { word: 'hung' }, 'the hang of before'],
    [on, null, undefined, 'nothing is known of the service'],
  ])) {
    assert.equal(servesWithWatchdog(controls, busy, state), false, what);
  }
});
