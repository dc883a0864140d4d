/**
 * The window in time that is looked at, and its ticks.
 */

const SECOND = 1e6;
const MINUTE = 60 * SECOND;
const STEPS = [1, 2, 5, 10, 15, 30].map((n) => n * SECOND).concat(
  [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440].map((n) => n * MINUTE),
);

/** The shortest and the longest window, in microseconds. */
export const NARROWEST = 2000;
export const WIDEST = 3 * 3600 * SECOND;

/** @param {number} value @param {number} low @param {number} high */
export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/**
 * The window, `factor` times as long, with what is at `anchor` staying where it is.
 * @param {{from: number, to: number}} view
 * @param {number} factor
 * @param {number} anchor
 */
export function zoomed(view, factor, anchor) {
  const length = view.to - view.from;
  const next = clamp(length * factor, NARROWEST, WIDEST);
  const from = anchor - ((anchor - view.from) / length) * next;
  return { from, to: from + next };
}

/**
 * The window moved so that `time` is in it, with a margin; as it is, where that is so.
 * @param {{from: number, to: number}} view
 * @param {number} time
 */
export function showing(view, time) {
  const length = view.to - view.from;
  const margin = length * 0.06;
  let from = view.from;
  if (time < view.from + margin) from = time - length * 0.3;
  if (time > view.to - margin) from = time - length * 0.7;
  return { from, to: from + length };
}

/**
 * The window around a span, with some air.
 * @param {number} from
 * @param {number} to
 */
export function around(from, to) {
  const air = Math.max((to - from) * 0.12, 50_000);
  return { from: from - air, to: to + air };
}

/**
 * A step between ticks, so that at most `most` fit into `length`.
 * @param {number} length
 * @param {number} most
 */
export function tickStep(length, most) {
  const least = length / Math.max(1, most);
  if (least > STEPS[0]) return STEPS.find((step) => step >= least) ?? STEPS[STEPS.length - 1] * Math.ceil(least / STEPS[STEPS.length - 1]);
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= least * 0.999) ?? power * 10;
}

/**
 * The ticks of a window, counted from `origin`.
 * @param {{from: number, to: number}} view
 * @param {number} most
 * @param {number} origin
 */
export function ticks(view, most, origin) {
  const step = tickStep(view.to - view.from, most);
  const all = [];
  for (let n = Math.ceil((view.from - origin) / step); origin + n * step <= view.to; n += 1) all.push(origin + n * step);
  return { step, all };
}

/**
 * Where a latency stands between the bottom (0) and the top (1) of its lane: by its logarithm.
 * @param {number} usec
 * @param {{low: number, high: number}} range
 */
export function logPlace(usec, range) {
  const place = Math.log(Math.max(usec, 1) / range.low) / Math.log(range.high / range.low);
  return clamp(place, 0, 1);
}

/**
 * A range of whole decades around what is to be shown; at least two.
 * @param {number} min
 * @param {number} max
 */
export function decades(min, max) {
  if (!(min > 0) || !(max > 0)) return { low: 100, high: 1_000_000 };
  const low = 10 ** Math.floor(Math.log10(min));
  const high = 10 ** Math.ceil(Math.log10(max * 1.0001));
  return { low, high: Math.max(high, low * 100) };
}
