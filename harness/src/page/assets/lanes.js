/**
 * Where things stand on the timeline, from top to bottom.
 */

/** @typedef {{name: string, top: number, height: number, title: string}} Lane */

const HEIGHTS = { faults: 22, latency: 172, phases: 36, systemd: 24, 'sd-watchdog': 24, service: 24, state: 22 };
const TITLES = {
  faults: 'fault', latency: 'answers', phases: 'recovery', systemd: 'systemd', 'sd-watchdog': 'sd-watchdog', service: 'its log', state: 'service is',
};
const GAP = 8;
/** What a lane's title needs where it stands above it and not beside. */
const TITLE = 10;

/**
 * The lanes that are needed, with their places. systemd's is always there: it is what one waits for.
 * @param {Set<string>} sources whose events there are
 * @param {number} room for the axis above them
 * @param {boolean} narrow whether titles stand above their lanes
 * @returns {{lanes: Lane[], height: number}}
 */
export function lanesFor(sources, room, narrow = false) {
  const names = ['faults', 'latency', 'phases', 'systemd', 'sd-watchdog', 'service', 'state']
    .filter((name) => !['sd-watchdog', 'service'].includes(name) || sources.has(name));
  let top = room;
  const lanes = names.map((name) => {
    if (narrow) top += TITLE;
    const lane = { name, top, height: HEIGHTS[/** @type {keyof typeof HEIGHTS} */ (name)], title: TITLES[/** @type {keyof typeof TITLES} */ (name)] };
    top += lane.height + GAP;
    return lane;
  });
  return { lanes, height: top };
}

/**
 * Which events get a mark of their own, and which are so close that they share one.
 * @template {{at: number}} T
 * @param {T[]} events sorted
 * @param {(at: number) => number} place
 * @param {number} apart least distance of two marks
 * @returns {{x: number, events: T[]}[]}
 */
export function marks(events, place, apart) {
  /** @type {{x: number, events: T[]}[]} */
  const all = [];
  for (const event of events) {
    const x = place(event.at);
    const last = all[all.length - 1];
    if (last && x - last.x < apart) last.events.push(event);
    else all.push({ x, events: [event] });
  }
  return all;
}

/**
 * For each mark the room for its label: up to the next mark. A label without enough room is not drawn at all.
 * @param {{x: number}[]} all
 * @param {number} right the end of the lane
 */
export function labelRooms(all, right) {
  return all.map((mark, index) => (all[index + 1]?.x ?? right) - mark.x - 16);
}

/**
 * The mark's shape, by the kind of the event, so that colour is never all there is.
 * @param {any} telling
 * @returns {'cross' | 'triangle' | 'square' | 'circle' | 'diamond' | 'tick'}
 */
export function shapeOf(telling) {
  switch (telling.event?.kind) {
    case 'injected':
    case 'hang_report':
    case 'deadline_widened':
      return 'diamond';
    case 'watchdog_timeout':
    case 'watchdog_trigger':
      return 'triangle';
    case 'killed':
    case 'exited':
    case 'failed':
    case 'start_failed':
    case 'start_limit_hit':
      return 'cross';
    case 'restart_scheduled':
    case 'starting':
    case 'stopping':
    case 'deactivated':
      return 'square';
    case 'ready':
    case 'first_good':
    case 'healed':
      return 'circle';
    default:
      return 'tick';
  }
}

/**
 * The nearest mark to x, within reach.
 * @template {{x: number}} T
 * @param {T[]} all
 * @param {number} x
 * @param {number} reach
 */
export function nearestMark(all, x, reach) {
  /** @type {T | null} */
  let best = null;
  for (const mark of all) {
    if (Math.abs(mark.x - x) <= reach && (!best || Math.abs(mark.x - x) < Math.abs(best.x - x))) best = mark;
  }
  return best;
}
