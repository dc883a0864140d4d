/**
 * What is remembered, and what was at any time.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Store, caseOf, endOf, insertSorted, lastAt, phaseOf } from '../store.js';
import { live, still } from './fixture.js';

/** @param {any[]} tellings @param {boolean} [byCase] */
function filled(tellings, byCase = false) {
  const store = new Store(byCase);
  for (const telling of tellings) store.take(telling);
  return store;
}

test('the newest state up to a time is what was then', () => {
  const store = filled([
    { id: 1, at: 10, kind: 'state', word: 'healthy', since: 10, says: '' },
    { id: 2, at: 20, kind: 'state', word: 'hung', since: 20, says: '' },
    { id: 3, at: 30, kind: 'answers', answers: [[12, 500, 0], [22, 900, 1]], reasons: ['no answer'] },
    { id: 4, at: 31, kind: 'fault', key: 'a/0', fault: 'mute', from: 18 },
    { id: 5, at: 32, kind: 'fault', key: 'a/0', fault: 'mute', from: 18, to: 25 },
  ]);
  const then = (/** @type {number} */ time) => store.track().then(time);
  assert.equal(then(5).state, undefined);
  assert.equal(then(19).state.word, 'healthy');
  assert.equal(then(20).state.word, 'hung');
  assert.deepEqual(then(13).answer, { at: 12, latency: 500, reason: null });
  assert.equal(then(23).answer.reason, 'no answer');
  assert.equal(then(5).answer, null);
  assert.deepEqual([17, 18, 25, 26].map((time) => then(time).faults.length), [0, 1, 1, 0]);
});

test('of several states of one time the last one that was told is there, and the others are not', () => {
  const state = (/** @type {number} */ id, /** @type {number} */ at, /** @type {string} */ word, key = 'a') => ({ id, at, kind: 'state', case: key, word, since: at, says: '' });
  const store = filled([state(1, 10, 'healthy'), state(2, 30, 'healthy'), state(3, 20, 'hung'), state(4, 30, 'hung'), state(5, 30, 'killed'), state(6, 30, 'killed', 'b')]);
  assert.deepEqual(store.track().states.map((one) => [one.at, one.word, one.case]), [[10, 'healthy', 'a'], [20, 'hung', 'a'], [30, 'killed', 'a'], [30, 'killed', 'b']]);
});

test('what comes twice is taken once', () => {
  const telling = { id: 1, at: 10, kind: 'event', case: 'a', label: 'ready', event: { kind: 'ready' }, source: 'systemd' };
  assert.equal(filled([telling, telling]).track().events.length, 1);
});

test('a kind that nobody knows is passed over', () => {
  const store = filled([{ id: 1, at: 1, kind: 'weather', rain: true }]);
  assert.equal(store.lastId, 1);
  assert.equal(store.changed.size, 0);
});

test('the unit is the one that was in force then, and in a report that of the scenario or of its own machine', () => {
  const unit = (/** @type {number} */ id, /** @type {number} */ at, /** @type {string} */ scenario, /** @type {string} */ key) => ({ id, at, kind: 'unit', case: key, scenario, files: [] });
  const changed = filled([unit(1, 10, '', 'a'), unit(2, 20, 'mute', 'b')]);
  assert.deepEqual([5, 10, 19, 20].map((time) => changed.unitAt(changed.track(), time)?.id), [1, 1, 1, 2]);
  const episode = (/** @type {number} */ id, /** @type {string} */ scenario, /** @type {string} */ key) => ({ id, at: 1, kind: 'episode', key: `${key}/0`, case: key, scenario, from: 1, over: true, phases: [] });
  const report = filled([
    unit(1, 10, 'mute', 'a'), episode(2, 'mute', 'a'), episode(3, 'mute', 'b'), unit(4, 5, 'spin', 'c'), episode(5, 'spin', 'c'), unit(6, 12, 'mute', 'd'), episode(7, 'mute', 'd'),
    unit(8, 3, '', 'e'), episode(9, 'slow', 'f'),
  ], true);
  const of = (/** @type {string} */ key) => report.unitAt(report.track(key), 11)?.id;
  assert.deepEqual(['a', 'b', 'c', 'd', 'f'].map(of), [1, 1, 4, 6, 8]);
  assert.equal(report.unitOf('spin', Infinity)?.id, 4);
  assert.equal(filled([]).unitAt(filled([]).track(), 1), undefined);
});

test('reasons keep their meaning from one batch to the next', () => {
  const store = filled([
    { id: 1, at: 1, kind: 'answers', answers: [[1, 1, 1]], reasons: ['a'] },
    { id: 2, at: 2, kind: 'answers', answers: [[2, 1, 1], [3, 1, 2]], reasons: ['b', 'a'] },
  ]);
  assert.deepEqual([1, 2, 3].map((time) => store.track().then(time).answer?.reason), ['a', 'b', 'a']);
});

test('an episode is replaced by what became of it', () => {
  const base = { at: 1, kind: 'episode', key: 'a/0', case: 'a', from: 5, fault: 'mute' };
  const store = filled([
    { ...base, id: 1, over: false, phases: [], running: 'detect', running_from: 5 },
    { ...base, id: 2, over: true, phases: [{ phase: 'detect', from: 5, to: 9 }, { phase: 'recovery', from: 5, to: 15 }] },
  ]);
  const [episode] = store.episodes();
  assert.equal(store.episodes().length, 1);
  assert.equal(endOf(episode), 15);
  assert.equal(phaseOf(episode, 'detect').to, 9);
  assert.equal(store.track().then(14).episode, episode);
  assert.equal(store.track().then(16).episode, undefined);
});

test('in a report each case has a timeline of its own', () => {
  const store = filled(still(4), true);
  assert.equal(store.tracks.size, 12);
  const episode = store.episodes()[5];
  const track = store.trackOf(episode);
  assert.equal(track.episodes.size, 1);
  assert.ok(track.answers.length > 50);
  assert.ok(track.from >= episode.from - 3e6 && track.to <= episode.ends + 4e6);
  assert.equal(track.faults.size, 1);
  assert.equal(caseOf({ id: 1, at: 1, kind: 'fault', key: 'a-3/0' }), 'a-3');
});

test('events are passed one by one', () => {
  const track = filled(live(1)).track();
  const seen = [];
  for (let event = track.neighbour(-1, 1); event; event = track.neighbour(event.at, 1)) seen.push(event);
  assert.ok(seen.length > 10);
  assert.equal(track.neighbour(seen[3].at, -1).at, seen[2].at);
  assert.equal(track.neighbour(track.to + 1, 1), undefined);
});

test('lists stay sorted', () => {
  /** @type {{at: number}[]} */
  const list = [];
  for (const at of [3, 1, 2, 3]) insertSorted(list, { at });
  assert.deepEqual(list.map((one) => one.at), [1, 2, 3, 3]);
  assert.equal(lastAt(list, 2)?.at, 2);
  assert.equal(lastAt(list, 0), undefined);
});

test('everything is forgotten when the ring begins anew', () => {
  const store = filled(live(1));
  store.clear();
  assert.equal(store.track().events.length, 0);
  assert.equal(store.lastId, 0);
});
