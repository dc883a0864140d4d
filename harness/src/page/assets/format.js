/**
 * Figures and times as people read them.
 */

/** What stands where nothing is known. */
export const UNKNOWN = '–';

/** @param {number} number @param {number} digits */
function trimmed(number, digits) {
  return String(Number(number.toFixed(digits)));
}

/**
 * A length of time exactly as the reports have it: `1.2 ms`, `312 ms`, `1.653 s`.
 * @param {number | null | undefined} usec
 */
export function human(usec) {
  if (usec == null) return UNKNOWN;
  const seconds = usec / 1e6;
  if (seconds < 0.1) return `${trimmed(seconds * 1e3, 1)} ms`;
  if (seconds < 1) return `${Math.round(seconds * 1e3)} ms`;
  return `${trimmed(seconds, 3)} s`;
}

/**
 * A length of time that is still growing, or is only to be grasped: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min`.
 * @param {number} usec
 */
export function rough(usec) {
  const seconds = Math.max(0, usec) / 1e6;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${two(Math.floor(seconds % 60))} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${two(minutes % 60)} min`;
  return `${Math.floor(hours / 24)} days`;
}

/**
 * A difference with its sign: `+1.653 s`, `−20 ms`.
 * @param {number} usec
 */
export function signed(usec) {
  return (usec < 0 ? '−' : '+') + human(Math.abs(usec));
}

/**
 * The time of day, with as many decimals of a second.
 * @param {number} wall_usec
 * @param {number} decimals
 */
export function clock(wall_usec, decimals = 0) {
  const date = new Date(wall_usec / 1000);
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const whole = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  if (!decimals) return whole;
  const usec = ((wall_usec % 1e6) + 1e6) % 1e6;
  return `${whole}.${String(Math.floor(usec)).padStart(6, '0').slice(0, decimals)}`;
}

/**
 * A share as what it proves: `198 of 200 recovered, at least 96.4 %`.
 * @param {{of: number, n: number, interval?: [number, number]}} share
 */
export function shareOf(share) {
  const text = `${share.n} of ${share.of}`;
  if (!share.interval) return text;
  const percent = share.interval.map((part) => trimmed(part * 100, 1));
  return `${text} (95 %: ${percent[0]}–${percent[1]} %)`;
}

/** systemd's version, or that of several. @param {string} version */
export function systemd(version) {
  return /^\d/.test(version) ? `systemd ${version}` : version;
}

/** @param {number} n @param {string} one @param {string} [many] */
export function count(n, one, many = `${one}s`) {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
}
