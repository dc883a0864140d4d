/**
 * What needs no browser: `node --test harness/src/page/assets/tests/*.test.js`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clock, count, human, rough, shareOf, signed } from '../format.js';
import { KEYS, deedOf, keyName } from '../keys.js';
import { labelRooms, lanesFor, marks, nearestMark, shapeOf } from '../lanes.js';
import { around, decades, logPlace, showing, tickStep, ticks, zoomed } from '../scale.js';
import { Columns, Series, firstFrom, lowerBound } from '../series.js';

test('lengths are as in the reports', () => {
  for (const [usec, text] of /** @type {const} */ ([[0, '0 ms'], [450, '0.5 ms'], [1200, '1.2 ms'], [99_960, '100 ms'], [312_400, '312 ms'], [1_653_000, '1.653 s'], [2_100_000, '2.1 s'], [90e6, '90 s'], [null, '–'], [undefined, '–']])) {
    assert.equal(human(usec), text);
  }
});

test('what grows is told roughly', () => {
  assert.deepEqual([0, 1_240_000, 12_900_000, 200e6, 7_500e6, 200 * 3600e6].map(rough), ['0.0 s', '1.2 s', '12 s', '3 min 20 s', '2 h 05 min', '8 days']);
  assert.equal(rough(-5), '0.0 s');
});

test('a difference has a sign', () => {
  assert.equal(signed(1_653_000), '+1.653 s');
  assert.equal(signed(-20_000), '−20 ms');
});

test('the time of day has as many decimals as are asked for', () => {
  const noon = new Date(2026, 8, 21, 12, 3, 4).getTime() * 1000 + 56_789;
  assert.equal(clock(noon), '12:03:04');
  assert.equal(clock(noon, 3), '12:03:04.056');
  assert.equal(clock(noon, 6), '12:03:04.056789');
});

test('a share is told with what it proves', () => {
  assert.equal(shareOf({ of: 3, n: 2 }), '2 of 3');
  assert.equal(shareOf({ of: 200, n: 198, interval: [0.9644, 0.9988] }), '198 of 200 (95 %: 96.4–99.9 %)');
  assert.equal(count(1, 'trial'), '1 trial');
  assert.equal(count(1200, 'trial'), '1,200 trials');
});

test('a series stays sorted, whatever order it comes in', () => {
  const series = new Series();
  for (const at of [5, 9, 7, 1, 9, 8]) series.push(at, at * 10, 0);
  assert.deepEqual([...series.at.slice(0, series.length)], [1, 5, 7, 8, 9, 9]);
  assert.deepEqual([...series.latency.slice(0, series.length)], [10, 50, 70, 80, 90, 90]);
  assert.equal(series.before(6), 1);
  assert.equal(series.before(7), 2);
  assert.equal(series.before(0), -1);
});

test('a series grows, and forgets the oldest when it is full', () => {
  const series = new Series(4000);
  for (let i = 0; i < 4500; i += 1) series.push(i, 1, 0);
  assert.equal(series.at[series.length - 1], 4499);
  assert.equal(series.length, 3500);
  assert.equal(series.at[0], 1000);
});

test('what is searched is found by halving', () => {
  assert.equal(lowerBound([1, 3, 5], 3, 3), 1);
  assert.equal(lowerBound([1, 3, 5], 3, 4), 2);
  assert.equal(lowerBound([1, 3, 5], 3, 9), 3);
  assert.equal(firstFrom([{ at: 1 }, { at: 3 }, { at: 3 }], 3), 1);
});

test('a column keeps the least and the greatest of its answers, and every failure', () => {
  const series = new Series();
  for (const [at, latency, outcome] of [[0, 5, 0], [1, 9, 0], [2, 7, 0], [10, 1, 1], [11, 1, 2], [19, 4, 0], [25, 3, 0]]) series.push(at, latency, outcome);
  const columns = new Columns().fill(series, 0, 20, 2);
  assert.deepEqual([...columns.min], [5, 4]);
  assert.deepEqual([...columns.max], [9, 4]);
  assert.deepEqual([...columns.failed], [0, 2]);
  assert.ok(Number.isNaN(columns.fill(series, 100, 200, 2).min[0]));
});

test('an hour of answers is drawn within a frame', () => {
  const series = new Series();
  for (let i = 0; i < 180_000; i += 1) series.push(i * 20_000, 300 + (i % 97), i % 1000 ? 0 : 1);
  const columns = new Columns();
  // The best of some: how busy this computer is, is not the question.
  let best = Infinity;
  for (let i = 0; i < 20; i += 1) {
    const begin = performance.now();
    columns.fill(series, i, 3600e6, 1200);
    best = Math.min(best, performance.now() - begin);
  }
  assert.ok(best < 16, `${best} ms`);
});

test('zooming leaves what is pointed at where it is', () => {
  const view = zoomed({ from: 0, to: 10e6 }, 0.5, 2e6);
  assert.deepEqual(view, { from: 1e6, to: 6e6 });
  assert.equal(zoomed({ from: 0, to: 3000 }, 0.01, 0).to, 2000);
});

test('the window moves only where it has to', () => {
  const view = { from: 0, to: 100 };
  assert.deepEqual(showing(view, 50), view);
  assert.deepEqual(showing(view, 99), { from: 29, to: 129 });
  assert.deepEqual(showing(view, 1), { from: -29, to: 71 });
  assert.deepEqual(around(1e6, 2e6), { from: 880_000, to: 2_120_000 });
});

test('ticks stand at round times', () => {
  assert.equal(tickStep(45e6, 10), 5e6);
  assert.equal(tickStep(3600e6, 10), 600e6);
  assert.equal(tickStep(1e6, 8), 200_000);
  assert.equal(tickStep(1000, 10), 100);
  assert.deepEqual(ticks({ from: 11e6, to: 26e6 }, 3, 1e6), { step: 5e6, all: [11e6, 16e6, 21e6, 26e6] });
});

test('a latency stands by its logarithm, in whole decades', () => {
  const range = decades(380, 21_000);
  assert.deepEqual(range, { low: 100, high: 100_000 });
  assert.equal(logPlace(100, range), 0);
  assert.ok(Math.abs(logPlace(1000, range) - 1 / 3) < 1e-9);
  assert.equal(logPlace(5, range), 0);
  assert.deepEqual(decades(Infinity, -Infinity), { low: 100, high: 1_000_000 });
});

test('lanes stand below each other, and only those that are needed', () => {
  const { lanes, height } = lanesFor(new Set(['systemd']), 26);
  assert.deepEqual(lanes.map((lane) => lane.name), ['faults', 'latency', 'phases', 'systemd', 'state']);
  for (let i = 1; i < lanes.length; i += 1) assert.ok(lanes[i].top >= lanes[i - 1].top + lanes[i - 1].height);
  assert.ok(height >= lanes[4].top + lanes[4].height);
  assert.equal(lanesFor(new Set(['service', 'sd-watchdog']), 26).lanes.length, 7);
});

test('marks that are too close share a place', () => {
  const all = marks([{ at: 1 }, { at: 2 }, { at: 30 }], (at) => at, 9);
  assert.deepEqual(all.map((mark) => mark.events.length), [2, 1]);
  assert.deepEqual(labelRooms(all, 100), [13, 54]);
  assert.equal(nearestMark(all, 28, 10), all[1]);
  assert.equal(nearestMark(all, 15, 10), null);
});

test('kinds of events are told apart by shape', () => {
  const shapes = ['watchdog_trigger', 'exited', 'starting', 'ready', 'hang_report', 'anything'].map((kind) => shapeOf({ event: { kind } }));
  assert.equal(new Set(shapes).size, 6);
  assert.equal(shapeOf({ kind: 'line' }), 'tick');
});

test('keys do what the list of keys says, and nothing with a modifier', () => {
  for (const { keys, deed } of KEYS) for (const key of keys) assert.equal(deedOf({ key }, 'timeline'), deed);
  assert.equal(deedOf({ key: 'W' }, 'page'), 'in');
  assert.equal(deedOf({ key: 'w', ctrlKey: true }, 'page'), null);
  assert.equal(keyName(' '), 'Space');
  assert.equal(keyName('w'), 'W');
});

test('keys that a control needs stay with it', () => {
  assert.equal(deedOf({ key: ' ' }, 'control'), null);
  assert.equal(deedOf({ key: 'ArrowLeft' }, 'control'), null);
  assert.equal(deedOf({ key: '.' }, 'control'), 'next');
  assert.equal(deedOf({ key: '.' }, 'text'), null);
  assert.equal(deedOf({ key: ' ' }, 'page'), 'play');
  assert.equal(deedOf({ key: 'ArrowLeft' }, 'page'), null);
});
