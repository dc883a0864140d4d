/**
 * A client's answers in typed arrays, by the time they were asked for: what a second or an hour of them looks like.
 */

/**
 * The first index in `at`, among the first `length`, whose time is not before `time`.
 * @param {ArrayLike<number>} at
 * @param {number} length
 * @param {number} time
 */
export function lowerBound(at, length, time) {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at[middle] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The first index in a sorted list whose `at` is not before `time`.
 * @param {{at: number}[]} list
 * @param {number} time
 */
export function firstFrom(list, time) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle].at < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Sorted by time; grows by doubling, and forgets its oldest quarter when it is full. */
export class Series {
  /** @param {number} limit how many answers at most */
  constructor(limit = 1 << 19) {
    this.limit = limit;
    this.length = 0;
    this.at = new Float64Array(1024);
    this.latency = new Float32Array(1024);
    this.outcome = new Uint16Array(1024);
  }

  /**
   * @param {number} at
   * @param {number} latency
   * @param {number} outcome 0 is good
   */
  push(at, latency, outcome) {
    if (this.length === this.limit) this.forget(this.length >> 2);
    if (this.length === this.at.length) this.grow();
    let place = this.length;
    // One that timed out was asked before others that are here already: a few steps back.
    while (place > 0 && this.at[place - 1] > at) place -= 1;
    if (place < this.length) {
      this.at.copyWithin(place + 1, place, this.length);
      this.latency.copyWithin(place + 1, place, this.length);
      this.outcome.copyWithin(place + 1, place, this.length);
    }
    this.at[place] = at;
    this.latency[place] = latency;
    this.outcome[place] = outcome;
    this.length += 1;
  }

  grow() {
    const size = this.at.length * 2;
    for (const name of /** @type {const} */ (['at', 'latency', 'outcome'])) {
      const old = this[name];
      const larger = new /** @type {any} */ (old.constructor)(size);
      larger.set(old);
      /** @type {any} */ (this)[name] = larger;
    }
  }

  /** @param {number} n so many of the oldest */
  forget(n) {
    this.at.copyWithin(0, n, this.length);
    this.latency.copyWithin(0, n, this.length);
    this.outcome.copyWithin(0, n, this.length);
    this.length -= n;
  }

  /** The index of the last one asked for at `time` or before; -1 when there is none. @param {number} time */
  before(time) {
    return lowerBound(this.at, this.length, time + 1e-3) - 1;
  }
}

/**
 * What each of `width` columns shows: the least and the greatest latency of its good answers (NaN: none), and how many failed.
 */
export class Columns {
  constructor() {
    this.width = 0;
    this.min = new Float32Array(0);
    this.max = new Float32Array(0);
    this.failed = new Uint16Array(0);
  }

  /**
   * @param {Series} series
   * @param {number} from
   * @param {number} to
   * @param {number} width
   */
  fill(series, from, to, width) {
    if (width !== this.width) {
      this.width = width;
      this.min = new Float32Array(width);
      this.max = new Float32Array(width);
      this.failed = new Uint16Array(width);
    }
    this.min.fill(NaN);
    this.max.fill(NaN);
    this.failed.fill(0);
    const scale = width / (to - from);
    const { at, latency, outcome } = series;
    const end = lowerBound(at, series.length, to);
    for (let i = lowerBound(at, series.length, from); i < end; i += 1) {
      const x = Math.floor((at[i] - from) * scale);
      if (x < 0 || x >= width) continue;
      if (outcome[i]) {
        this.failed[x] += 1;
        continue;
      }
      // A comparison with NaN is false: the first one of a column sets both.
      if (!(latency[i] >= this.min[x])) this.min[x] = latency[i];
      if (!(latency[i] <= this.max[x])) this.max[x] = latency[i];
    }
    return this;
  }
}
