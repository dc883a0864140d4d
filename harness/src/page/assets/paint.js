/**
 * The timeline's canvas. It draws what it is given; what that is, is known elsewhere.
 */
import { clock, human, rough, signed } from './format.js';
import { labelRooms, lanesFor, marks, shapeOf } from './lanes.js';
import { decades, logPlace, ticks } from './scale.js';
import { Columns, firstFrom, lowerBound } from './series.js';
import { phaseOf } from './store.js';

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const NAMES = [
  'ink', 'muted', 'faint', 'line', 'panel', 'accent', 'healthy', 'hung', 'killed', 'restarting', 'starting', 'failed', 'stopped',
  'unknown', 'detect', 'kill', 'restart', 'start', 'fault', 'trace',
];
/** The phases that follow each other. */
export const STEPS_OF_RECOVERY = ['detect', 'kill', 'restart', 'start'];

export class Painter {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.front = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    // What does not move with the cursor is drawn apart, and only when it has changed: scrubbing copies it.
    this.back = /** @type {CanvasRenderingContext2D} */ (document.createElement('canvas').getContext('2d'));
    this.context = this.back;
    this.key = '';
    this.columns = new Columns();
    /** @type {Record<string, string>} */
    this.colours = {};
    /** @type {Map<string, CanvasPattern>} */
    this.hatches = new Map();
    /** What was drawn where. @type {{lane: import('./lanes.js').Lane, marks: {x: number, events: any[]}[]}[]} */
    this.drawn = [];
    this.width = 0;
    this.height = 0;
    this.left = 0;
    this.dress();
  }

  /** Reads the colours, which are the stylesheet's. */
  dress() {
    const style = getComputedStyle(document.documentElement);
    for (const name of NAMES) this.colours[name] = style.getPropertyValue(`--${name}`).trim();
    this.hatches.clear();
    this.key = '';
  }

  /** Stripes that rise, or fall. @param {string} colour @param {boolean} falling */
  hatch(colour, falling = false) {
    const key = colour + falling;
    let pattern = this.hatches.get(key);
    if (!pattern) {
      const tile = document.createElement('canvas');
      tile.width = tile.height = 8;
      const context = /** @type {CanvasRenderingContext2D} */ (tile.getContext('2d'));
      context.strokeStyle = colour;
      context.lineWidth = 1.2;
      context.beginPath();
      for (const shift of [-8, 0, 8]) {
        context.moveTo(shift - 1, falling ? -1 : 9);
        context.lineTo(shift + 9, falling ? 9 : -1);
      }
      context.stroke();
      pattern = /** @type {CanvasPattern} */ (this.context.createPattern(tile, 'repeat'));
      this.hatches.set(key, pattern);
    }
    return pattern;
  }

  /**
   * @param {{
   *   track: import('./store.js').Track, view: {from: number, to: number}, now: number, cursor: number | null,
   *   hover: number | null, origin: number | null, wall: number | null, selected: any,
   * }} scene
   */
  draw(scene) {
    const { canvas } = this;
    const width = canvas.clientWidth;
    const ratio = Math.min(devicePixelRatio || 1, 3);
    const narrow = width < 620;
    const { lanes, height } = lanesFor(scene.track.sources, 26, narrow);
    if (this.width !== width || this.height !== height || canvas.width !== Math.round(width * ratio)) {
      this.width = width;
      this.height = height;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = `${height}px`;
      this.back.canvas.width = canvas.width;
      this.back.canvas.height = canvas.height;
      this.hatches.clear();
      this.key = '';
    }
    this.left = narrow ? 4 : 92;
    this.right = width - 6;
    this.view = scene.view;
    const { from, to } = scene.view;
    // What ends now moves with the time, but only within the window, and by pixels.
    const edge = scene.now < to ? Math.floor(((scene.now - from) / (to - from)) * width * 2) : '';
    const key = [from, to, edge, scene.origin, scene.wall, scene.track.key, scene.track.answers.length > 0, lanes.length].join();
    if (key !== this.key || scene.track.touched <= to) this.drawBack(scene, lanes, height, narrow, ratio);
    this.key = key;
    scene.track.touched = Infinity;
    this.context = this.front;
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.clearRect(0, 0, canvas.width, canvas.height);
    this.context.drawImage(this.back.canvas, 0, 0);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.cursors(scene, height);
  }

  /** @param {any} scene @param {import('./lanes.js').Lane[]} lanes @param {number} height @param {boolean} narrow @param {number} ratio */
  drawBack(scene, lanes, height, narrow, ratio) {
    const context = this.context = this.back;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, height);
    context.lineJoin = 'round';
    const lane = Object.fromEntries(lanes.map((one) => [one.name, one]));
    this.lanes = lanes;
    this.drawn = [];
    this.axis(scene, lanes, height, narrow);
    this.faults(scene, lane.faults, lane.state.top - 4);
    this.outages(scene, lane.latency);
    this.latency(scene, lane.latency, narrow);
    this.phases(scene, lane.phases);
    for (const name of ['systemd', 'sd-watchdog', 'service']) if (lane[name]) this.events(scene, lane[name]);
    this.states(scene, lane.state);
  }

  /** @param {number} time */
  x(time) {
    const { from, to } = /** @type {any} */ (this.view);
    return this.left + ((time - from) / (to - from)) * (/** @type {any} */ (this.right) - this.left);
  }

  /** @param {number} x */
  time(x) {
    const { from, to } = /** @type {any} */ (this.view);
    return from + ((x - this.left) / (/** @type {any} */ (this.right) - this.left)) * (to - from);
  }

  /** From here to there, no further than the lanes go. @param {number} from @param {number} to */
  extent(from, to) {
    const start = Math.max(this.x(from), this.left - 2);
    const end = Math.min(this.x(to), /** @type {any} */ (this.right) + 2);
    return { start, width: Math.max(end - start, 0) };
  }

  /** @param {string} text @param {number} x @param {number} y @param {string} colour @param {{size?: number, weight?: number, align?: CanvasTextAlign, room?: number}} [how] */
  text(text, x, y, colour, how = {}) {
    const { context } = this;
    context.font = `${how.weight ?? 400} ${how.size ?? 12}px ${FONT}`;
    context.textAlign = how.align ?? 'left';
    context.textBaseline = 'middle';
    if (how.room != null && context.measureText(text).width > how.room) return false;
    context.fillStyle = colour;
    context.fillText(text, x, y);
    return true;
  }

  /** @param {any} scene @param {import('./lanes.js').Lane[]} lanes @param {number} height @param {boolean} narrow */
  axis(scene, lanes, height, narrow) {
    const { context, colours } = this;
    const right = /** @type {any} */ (this.right);
    const base = scene.origin ?? (scene.wall == null ? 0 : -scene.wall);
    const { step, all } = ticks(scene.view, (right - this.left) / (narrow ? 84 : 104), base);
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    context.beginPath();
    for (const at of all) {
      const x = Math.round(this.x(at)) + 0.5;
      context.moveTo(x, 20);
      context.lineTo(x, height - 4);
    }
    context.stroke();
    const decimals = step >= 1e6 ? 0 : step >= 1e5 ? 1 : step >= 1e3 ? 3 : 6;
    for (const at of all) {
      const label = scene.origin != null ? (at === scene.origin ? '0' : signed(Math.round(at - scene.origin)))
        : scene.wall != null ? clock(at + scene.wall, decimals) : '';
      const x = this.x(at);
      context.font = `400 11px ${FONT}`;
      const half = context.measureText(label).width / 2;
      if (x - half >= this.left - 6 && x + half <= right + 6) this.text(label, x, 10, colours.muted, { size: 11, align: 'center' });
    }
    for (const lane of lanes) {
      if (narrow) this.text(lane.title, this.left, lane.top - 7, colours.muted, { size: 10.5 });
      else this.text(lane.title, 0, lane.top + (lane.name === 'latency' ? 7 : lane.height / 2), colours.muted);
    }
  }

  /** @param {any} scene @param {import('./lanes.js').Lane} lane @param {number} bottom */
  faults(scene, lane, bottom) {
    const { context, colours } = this;
    const faults = [...scene.track.faults.values()];
    for (const [index, fault] of faults.entries()) {
      const to = fault.to ?? scene.now;
      if (to < scene.view.from || fault.from > scene.view.to) continue;
      const { start, width } = this.extent(fault.from, to);
      const wide = Math.max(width, 2);
      context.globalAlpha = 0.09;
      context.fillStyle = colours.fault;
      context.fillRect(start, lane.top + lane.height, wide, bottom - lane.top - lane.height);
      context.globalAlpha = 0.16;
      context.fillRect(start, lane.top, wide, lane.height);
      context.globalAlpha = 1;
      context.fillRect(start, lane.top, wide, 2);
      // Of many short ones the lines would be a fence.
      if (width > 3 && this.x(fault.from) >= this.left) context.fillRect(start, lane.top, 2, bottom - lane.top);
      if (!this.text(fault.fault, start + 7, lane.top + 11, colours.ink, { weight: 600, room: wide - 10 })) {
        // Beside it, where it is too short: nothing else is in this lane.
        const next = faults[index + 1];
        const room = (next ? this.x(next.from) : /** @type {any} */ (this.right)) - start - wide - 8;
        this.text(fault.fault, start + wide + 5, lane.top + 11, colours.ink, { weight: 600, room });
      }
    }
  }

  /** @param {any} scene @param {import('./lanes.js').Lane} lane */
  outages(scene, lane) {
    const { context, colours } = this;
    for (const episode of scene.track.episodes.values()) {
      const outage = phaseOf(episode, 'outage');
      const from = outage?.from ?? (episode.running === 'outage' ? episode.running_from : null);
      if (from == null) continue;
      const to = outage?.to ?? scene.now;
      if (to < scene.view.from || from > scene.view.to) continue;
      const { start, width } = this.extent(from, to);
      context.globalAlpha = 0.4;
      context.fillStyle = this.hatch(colours.hung);
      context.fillRect(start, lane.top, Math.max(width, 1.5), lane.height);
      context.globalAlpha = 1;
      const label = `outage ${outage ? human(outage.to - outage.from) : rough(to - from)}`;
      context.font = `600 12px ${FONT}`;
      const needed = context.measureText(label).width + 12;
      if (needed < width) {
        context.fillStyle = colours.panel;
        context.fillRect(start + width / 2 - needed / 2, lane.top + lane.height - 24, needed, 20);
        this.text(label, start + width / 2, lane.top + lane.height - 13.5, colours.ink, { weight: 600, align: 'center' });
      }
    }
  }

  /** @param {any} scene @param {import('./lanes.js').Lane} lane @param {boolean} narrow */
  latency(scene, lane, narrow) {
    const { context, colours } = this;
    const right = /** @type {any} */ (this.right);
    const series = scene.track.answers;
    const width = Math.max(1, Math.floor(right - this.left));
    const columns = this.columns.fill(series, scene.view.from, scene.view.to, width);
    let least = Infinity;
    let most = -Infinity;
    for (let x = 0; x < width; x += 1) {
      if (columns.min[x] < least) least = columns.min[x];
      if (columns.max[x] > most) most = columns.max[x];
    }
    // What is drawn must not jump with every new answer: decades, over all that is in the window.
    const range = decades(least, most);
    const top = lane.top + 24;
    const tall = lane.height - 28;
    const y = (/** @type {number} */ usec) => top + (1 - logPlace(usec, range)) * tall;
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    for (let decade = range.low; decade <= range.high * 1.001; decade *= 10) {
      const at = Math.round(y(decade)) + 0.5;
      context.beginPath();
      context.moveTo(this.left, at);
      context.lineTo(right, at);
      context.stroke();
      if (!narrow) this.text(human(decade), this.left - 8, at, colours.faint, { size: 11, align: 'right' });
    }
    context.strokeStyle = colours.trace;
    context.lineWidth = 1.4;
    context.beginPath();
    const { from, to } = scene.view;
    const first = lowerBound(series.at, series.length, from);
    const end = lowerBound(series.at, series.length, to);
    if (end - first < width) {
      // Few enough for a line through each; it breaks where one failed.
      let drawing = false;
      for (let i = Math.max(0, first - 1); i < Math.min(series.length, end + 1); i += 1) {
        if (series.outcome[i]) {
          drawing = false;
          continue;
        }
        const x = this.x(series.at[i]);
        // Nor is there a line over a time in which nobody asked.
        if (drawing && !(scene.live && series.at[i] - series.at[i - 1] > 3e6)) context.lineTo(x, y(series.latency[i]));
        else context.moveTo(x, y(series.latency[i]));
        drawing = true;
      }
      context.save();
      this.clip(lane);
      context.stroke();
      if (end - first < width / 6) {
        context.fillStyle = colours.trace;
        for (let i = first; i < end; i += 1) {
          if (series.outcome[i]) continue;
          context.fillRect(this.x(series.at[i]) - 1.5, y(series.latency[i]) - 1.5, 3, 3);
        }
      }
      context.restore();
    } else {
      context.fillStyle = colours.trace;
      for (let x = 0; x < width; x += 1) {
        if (!(columns.min[x] > 0)) continue;
        const low = y(columns.min[x]) + 0.7;
        const high = Math.min(y(columns.max[x]), low - 1.4);
        context.fillRect(this.left + x, high, 1, low - high);
      }
    }
    if (narrow) this.decades(range, y, right);
    // Crosses stand at the top, apart from the answers: a failed request has no latency.
    context.strokeStyle = colours.hung;
    context.lineWidth = 1.5;
    context.beginPath();
    let last = -9;
    for (let x = 0; x < width; x += 1) {
      if (!columns.failed[x] || x - last < 5) continue;
      last = x;
      const at = this.left + x + 0.5;
      context.moveTo(at - 3, lane.top + 4);
      context.lineTo(at + 3, lane.top + 10);
      context.moveTo(at + 3, lane.top + 4);
      context.lineTo(at - 3, lane.top + 10);
    }
    context.stroke();
    if (!series.length) {
      this.text('Nobody has asked the service yet.', (this.left + right) / 2, lane.top + lane.height / 2, colours.muted, { align: 'center' });
    }
  }

  /**
   * What the latencies' lines stand for, where there is no room beside them: over the trace, on a ground of their own.
   * @param {{low: number, high: number}} range @param {(usec: number) => number} y @param {number} right
   */
  decades(range, y, right) {
    const { context, colours } = this;
    for (let decade = range.low; decade <= range.high * 1.001; decade *= 10) {
      const label = human(decade);
      const at = Math.round(y(decade)) - 6;
      context.font = `400 10px ${FONT}`;
      const wide = context.measureText(label).width + 6;
      context.globalAlpha = 0.75;
      context.fillStyle = colours.panel;
      context.fillRect(right - wide, at - 6, wide, 12);
      context.globalAlpha = 1;
      this.text(label, right - 3, at, colours.muted, { size: 10, align: 'right' });
    }
  }

  /** @param {import('./lanes.js').Lane} lane */
  clip(lane) {
    const { context } = this;
    const path = new Path2D();
    path.rect(this.left, lane.top, /** @type {any} */ (this.right) - this.left, lane.height);
    context.clip(path);
  }

  /** @param {any} scene @param {import('./lanes.js').Lane} lane */
  phases(scene, lane) {
    const { context, colours } = this;
    const episodes = [...scene.track.episodes.values()];
    for (const [index, episode] of episodes.entries()) {
      if ((episode.over ? episode.ends : scene.now) < scene.view.from || episode.from > scene.view.to) continue;
      const parts = (episode.phases ?? []).filter((/** @type {any} */ part) => STEPS_OF_RECOVERY.includes(part.phase));
      if (STEPS_OF_RECOVERY.includes(episode.running)) {
        parts.push({ phase: episode.running, from: episode.running_from, to: Math.max(scene.now, episode.running_from), running: true });
      }
      for (const part of parts) {
        if (part.to < scene.view.from || part.from > scene.view.to) continue;
        const { start, width } = this.extent(part.from, part.to);
        const colour = colours[part.phase];
        context.fillStyle = colour;
        context.globalAlpha = part.running ? 0.14 : 0.24;
        context.fillRect(start, lane.top, Math.max(width, 1), 22);
        context.globalAlpha = 1;
        context.fillRect(start, lane.top, Math.max(width, 1), 3);
        const length = human(part.to - part.from);
        const middle = start + width / 2;
        const y = lane.top + 13;
        const full = part.running ? `${part.phase} …` : `${part.phase} ${length}`;
        if (!this.text(full, middle, y, colours.ink, { align: 'center', size: 11.5, weight: 500, room: width - 6 })) {
          this.text(part.phase, middle, y, colours.ink, { align: 'center', size: 11.5, weight: 500, room: width - 4 });
        }
      }
      this.bound(scene, episode, lane, episodes[index + 1]?.from ?? Infinity);
    }
  }

  /**
   * What the recovery took, as a line, and its bound, as the line's far end; where the next one begins before that, its line goes first.
   * @param {any} scene @param {any} episode @param {import('./lanes.js').Lane} lane @param {number} next
   */
  bound(scene, episode, lane, next) {
    const { context, colours } = this;
    const recovery = phaseOf(episode, 'recovery');
    const limit = recovery?.bound_usec ?? (episode.over ? null : scene.bounds?.recovery_usec);
    const y = lane.top + 29;
    const end = recovery?.to ?? (episode.over ? null : scene.now);
    if (end != null) {
      const { start, width } = this.extent(episode.from, end);
      context.fillStyle = colours.ink;
      context.fillRect(start, y - 1.25, width, 2.5);
    }
    if (limit == null) return;
    const far = episode.from + limit;
    const { start, width } = this.extent(end ?? episode.from, Math.min(Math.max(far, end ?? 0), next));
    context.strokeStyle = colours.muted;
    context.lineWidth = 1;
    context.setLineDash([2, 3]);
    context.beginPath();
    context.moveTo(start, y + 0.5);
    context.lineTo(start + width, y + 0.5);
    context.stroke();
    context.setLineDash([]);
    const x = Math.round(this.x(far)) + 0.5;
    if (x > this.left && x < /** @type {any} */ (this.right) && far < next) {
      context.beginPath();
      context.moveTo(x, y - 5);
      context.lineTo(x, y + 5);
      context.stroke();
      this.text(`bound ${human(limit)}`, x - 5, y - 7, colours.muted, { size: 11, align: 'right', room: width - 8 });
    }
  }

  /** @param {any} scene @param {import('./lanes.js').Lane} lane */
  events(scene, lane) {
    const { context, colours } = this;
    const right = /** @type {any} */ (this.right);
    const { events } = scene.track;
    const air = (scene.view.to - scene.view.from) * 0.01;
    const within = events.slice(firstFrom(events, scene.view.from - air), firstFrom(events, scene.view.to + air))
      .filter((/** @type {any} */ event) => event.source === lane.name);
    const all = marks(within, (at) => this.x(at), 9);
    const rooms = labelRooms(all, right);
    const y = lane.top + lane.height / 2;
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(this.left, y + 0.5);
    context.lineTo(right, y + 0.5);
    context.stroke();
    all.forEach((mark, index) => {
      const { events: here, x } = mark;
      const main = here.find((event) => shapeOf(event) !== 'tick') ?? here[0];
      this.mark(shapeOf(main), x, y, colours.ink, colours.panel);
      const label = (main.label ?? main.message ?? '') + (here.length > 1 ? ` +${here.length - 1}` : '');
      if (shapeOf(main) === 'tick') return;
      context.font = `400 11.5px ${FONT}`;
      const wide = context.measureText(label).width;
      if (wide > rooms[index]) return;
      context.fillStyle = colours.panel;
      context.fillRect(x + 8, y - 8, wide + 6, 16);
      this.text(label, x + 11, y + 0.5, colours.ink, { size: 11.5 });
    });
    this.drawn.push({ lane, marks: all });
  }

  /** @param {string} shape @param {number} x @param {number} y @param {string} colour @param {string} ground */
  mark(shape, x, y, colour, ground) {
    const { context } = this;
    context.fillStyle = colour;
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.beginPath();
    if (shape === 'tick') {
      context.fillRect(x - 0.75, y - 5, 1.5, 10);
      return;
    }
    if (shape === 'cross') {
      context.moveTo(x - 4.5, y - 4.5);
      context.lineTo(x + 4.5, y + 4.5);
      context.moveTo(x + 4.5, y - 4.5);
      context.lineTo(x - 4.5, y + 4.5);
      context.stroke();
      return;
    }
    if (shape === 'triangle') {
      context.moveTo(x, y - 6);
      context.lineTo(x + 6, y + 5);
      context.lineTo(x - 6, y + 5);
      context.closePath();
    } else if (shape === 'diamond') {
      context.moveTo(x, y - 6.5);
      context.lineTo(x + 6.5, y);
      context.lineTo(x, y + 6.5);
      context.lineTo(x - 6.5, y);
      context.closePath();
    } else if (shape === 'square') {
      context.rect(x - 4, y - 4, 8, 8);
      context.fillStyle = ground;
      context.fill();
      context.stroke();
      return;
    } else {
      context.arc(x, y, 5, 0, 7);
    }
    context.fill();
  }

  /** @param {any} scene @param {import('./lanes.js').Lane} lane */
  states(scene, lane) {
    const { context, colours } = this;
    const { states } = scene.track;
    for (let i = Math.max(0, firstFrom(states, scene.view.from) - 1); i < states.length; i += 1) {
      const state = states[i];
      if (state.at > scene.view.to) break;
      let next = i + 1;
      while (states[next]?.word === state.word) next += 1;
      const { start, width } = this.extent(state.at, Math.min(states[next]?.at ?? scene.now, scene.now));
      i = next - 1;
      const colour = colours[state.word] ?? colours.unknown;
      context.fillStyle = colour;
      context.globalAlpha = 0.2;
      context.fillRect(start, lane.top, width, lane.height);
      context.globalAlpha = 1;
      if (state.word === 'hung' || state.word === 'failed') {
        context.globalAlpha = 0.45;
        context.fillStyle = this.hatch(colour, state.word === 'failed');
        context.fillRect(start, lane.top, width, lane.height);
        context.globalAlpha = 1;
        context.fillStyle = colour;
      }
      context.fillRect(start, lane.top + lane.height - 3, Math.max(width, 1), 3);
      this.text(state.word, start + 6, lane.top + lane.height / 2 - 1, colours.ink, { size: 11, weight: 500, room: width - 8 });
    }
  }

  /** @param {any} scene @param {number} height */
  cursors(scene, height) {
    const { context, colours } = this;
    const right = /** @type {any} */ (this.right);
    const line = (/** @type {number} */ at, /** @type {string} */ colour, /** @type {number} */ wide) => {
      const x = this.x(at);
      if (x < this.left - 1 || x > right + 1) return;
      context.fillStyle = colour;
      context.fillRect(x - wide / 2, 18, wide, height - 20);
    };
    if (scene.now <= scene.view.to && scene.live) line(scene.now, colours.muted, 1);
    const place = scene.selected && this.drawn.find((one) => one.lane.name === scene.selected.source);
    const marked = place?.marks.find((mark) => mark.events.includes(scene.selected));
    if (marked) {
      const y = place.lane.top + place.lane.height / 2;
      context.strokeStyle = colours.accent;
      context.lineWidth = 2;
      context.beginPath();
      context.arc(marked.x, y, 10, 0, 7);
      context.stroke();
    }
    if (scene.hover != null) line(scene.hover, colours.muted, 1);
    if (scene.cursor != null) {
      line(scene.cursor, colours.accent, 2);
      const x = this.x(scene.cursor);
      if (x < this.left - 1 || x > right + 1) return;
      context.fillStyle = colours.accent;
      context.beginPath();
      context.moveTo(x - 6, 16);
      context.lineTo(x + 6, 16);
      context.lineTo(x, 24);
      context.fill();
    }
  }
}
