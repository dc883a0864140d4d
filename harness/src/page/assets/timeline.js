/**
 * The timeline: which window is looked at, where the cursor stands, and whether it goes along with the time.
 */
import { byId, h, reconcile, setText } from './dom.js';
import { clock, human, rough, signed } from './format.js';
import { deedOf } from './keys.js';
import { nearestMark } from './lanes.js';
import { Painter } from './paint.js';
import { around, clamp, showing, zoomed } from './scale.js';
import { firstFrom } from './series.js';
import { phaseOf } from './store.js';

const FIRST_WINDOW = 45e6;
/** So many events stand in the list at once. */
const LISTED = 60;

export class Timeline {
  /** @param {any} app */
  constructor(app) {
    this.app = app;
    /** @type {import('./store.js').Track} */
    this.track = app.store.track();
    this.painter = new Painter(byId('trace'));
    this.view = { from: 0, to: FIRST_WINDOW };
    /** Whether the right end is now. */
    this.following = app.live;
    /** Whether the cursor moves by itself. */
    this.playing = false;
    /** @type {number | null} */
    this.cursor = null;
    /** @type {number | null} */
    this.hover = null;
    /** @type {any} the event that is looked at */
    this.selected = null;
    /** @type {number | null} what the axis counts from; the time of day otherwise */
    this.origin = null;
    this.asked = false;
    this.calm = matchMedia('(prefers-reduced-motion: reduce)');
    this.hook();
  }

  hook() {
    const stage = byId('stage');
    const canvas = this.painter.canvas;
    new ResizeObserver(() => this.redraw()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.painter.dress();
      this.redraw();
    });
    document.addEventListener('visibilitychange', () => this.redraw());
    stage.addEventListener('wheel', (/** @type {WheelEvent} */ event) => this.wheel(event), { passive: false });
    this.pointers(stage);
    document.addEventListener('keydown', (event) => this.key(event));
    /** @type {HTMLInputElement} */
    const slider = byId('when');
    slider.addEventListener('input', () => this.goTo(this.track.from + Number(slider.value) * 1000));
    const click = (/** @type {string} */ id, /** @type {() => void} */ deed) => byId(id)?.addEventListener('click', deed);
    for (const deed of ['play', 'in', 'out', 'fit', 'live', 'next', 'previous', 'help']) click(`do-${deed}`, () => this.do(deed));
    click('back-to-live', () => this.live());
  }

  // -- What is looked at

  now() {
    return this.app.live ? this.app.now() : this.track.to;
  }

  /** The time that is looked at. */
  get time() {
    return this.cursor ?? this.now();
  }

  /** Stops going along. @param {number | null} [cursor] */
  hold(cursor) {
    if (this.following) this.advance();
    this.following = false;
    this.playing = false;
    this.cursor = cursor ?? this.cursor ?? this.now();
    this.app.moved();
    this.redraw();
  }

  live() {
    this.cursor = null;
    this.selected = null;
    this.playing = false;
    this.following = this.app.live;
    if (!this.app.live) this.fit();
    this.app.moved();
    this.redraw();
  }

  /** @param {number} time @param {any} [event] */
  goTo(time, event = null) {
    const to = clamp(time, this.track.from, Math.max(this.now(), this.track.from));
    this.hold(to);
    this.selected = event;
    this.view = showing(this.view, to);
    this.app.moved();
    this.redraw();
  }

  /** Everything there is, or of live ones the last hour. */
  fit() {
    const now = this.now();
    const from = Math.max(this.track.from, now - 3600e6);
    if (!Number.isFinite(from)) return;
    if (this.app.live) {
      if (this.following) this.view = { from, to: now };
      else this.view = around(from, now);
    } else this.view = around(from, this.track.to);
    this.redraw();
  }

  /** An episode, whole, with what was just before and after. @param {any} episode */
  showEpisode(episode) {
    const track = this.app.store.trackOf(episode);
    this.use(track, this.app.live ? null : episode.from);
    const outage = phaseOf(episode, 'outage');
    const end = Math.max(episode.over ? episode.ends : this.now(), outage?.to ?? 0, track.faults.get(episode.key)?.to ?? 0);
    this.hold(episode.from);
    this.view = around(episode.from, Math.max(end, episode.from + 200_000));
    this.selected = null;
    this.app.moved();
    this.redraw();
  }

  /** @param {import('./store.js').Track} track @param {number | null} origin */
  use(track, origin) {
    this.origin = origin;
    if (track === this.track) return;
    this.track = track;
    this.cursor = null;
    this.selected = null;
    this.fit();
  }

  /** @param {string} deed */
  do(deed) {
    const length = this.view.to - this.view.from;
    const middle = this.cursor ?? (this.following ? this.view.to : (this.view.from + this.view.to) / 2);
    switch (deed) {
      case 'play':
        return this.play();
      case 'live':
        return this.live();
      case 'in':
        return this.zoom(0.6, middle);
      case 'out':
        return this.zoom(1 / 0.6, middle);
      case 'left':
        return this.pan(-length * 0.2);
      case 'right':
        return this.pan(length * 0.2);
      case 'back':
        return this.goTo(this.time - length / 60);
      case 'forth':
        return this.goTo(this.time + length / 60);
      case 'next':
      case 'previous': {
        const event = this.step(deed === 'next' ? 1 : -1);
        if (event) this.goTo(event.at, event);
        return undefined;
      }
      case 'fit':
        return this.fit();
      default:
        return byId('keys').showModal();
    }
  }

  /** The event after or before the one that is looked at: events of one moment are passed one by one. @param {1 | -1} way */
  step(way) {
    const { events } = this.track;
    const here = this.selected ? events.indexOf(this.selected) : -1;
    return here >= 0 ? events[here + way] : this.track.neighbour(this.time, way);
  }

  play() {
    if (this.following) return this.hold();
    if (this.playing) {
      this.playing = false;
      this.app.moved();
      return undefined;
    }
    this.selected = null;
    const end = this.app.live ? this.now() : this.track.to;
    if (this.cursor == null || this.cursor >= end - 1000) this.cursor = this.app.live ? this.view.from : this.track.from;
    this.view = showing(this.view, this.cursor);
    this.playing = true;
    this.stepped = performance.now();
    this.app.moved();
    this.redraw();
    return undefined;
  }

  /** @param {number} factor @param {number} anchor */
  zoom(factor, anchor) {
    if (this.following) this.advance();
    this.view = zoomed(this.view, factor, clamp(anchor, this.view.from, this.view.to));
    this.redraw();
  }

  /** @param {number} by */
  pan(by) {
    if (this.following) this.hold();
    const length = this.view.to - this.view.from;
    const from = clamp(this.view.from + by, this.track.from - length * 0.8, this.now() - length * 0.2);
    this.view = { from, to: from + length };
    this.redraw();
  }

  // -- Hands

  /** @param {WheelEvent} event */
  wheel(event) {
    const across = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
    // The page scrolls as everywhere, unless the timeline is what one is at.
    if (!across && !event.ctrlKey && !byId('stage').contains(document.activeElement)) return;
    event.preventDefault();
    if (across) {
      const by = (event.deltaX || event.deltaY) / this.painter.canvas.clientWidth;
      this.pan(by * (this.view.to - this.view.from));
    } else {
      const anchor = this.following ? this.view.to : this.painter.time(event.offsetX);
      this.zoom(Math.exp(clamp(event.deltaY, -120, 120) * (event.ctrlKey ? 0.01 : 0.003)), anchor);
    }
  }

  /** @param {HTMLElement} stage */
  pointers(stage) {
    /** @type {Map<number, {x: number, y: number}>} */
    const down = new Map();
    let dragged = false;
    let spread = 0;
    const canvas = this.painter.canvas;
    const place = (/** @type {PointerEvent} */ event) => {
      const box = canvas.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button) return;
      down.set(event.pointerId, place(event));
      dragged = false;
      spread = 0;
      canvas.setPointerCapture(event.pointerId);
      stage.focus({ preventScroll: true });
    });
    canvas.addEventListener('pointermove', (event) => {
      const to = place(event);
      const from = down.get(event.pointerId);
      if (!from) {
        this.hover = to.x >= this.painter.left ? this.painter.time(to.x) : null;
        this.read(to.x, to.y);
        return;
      }
      down.set(event.pointerId, to);
      if (down.size === 2) {
        const [a, b] = [...down.values()];
        const next = Math.abs(a.x - b.x);
        if (spread > 8 && next > 8) this.zoom(spread / next, this.painter.time((a.x + b.x) / 2));
        spread = next;
        dragged = true;
      } else if (dragged || Math.abs(to.x - from.x) > 3) {
        if (!dragged) this.unread();
        dragged = true;
        const { from: start, to: end } = this.view;
        const wide = /** @type {any} */ (this.painter.right) - this.painter.left;
        this.pan(((from.x - to.x) / wide) * (end - start));
      } else {
        down.set(event.pointerId, from);
      }
    });
    const up = (/** @type {PointerEvent} */ event) => {
      const at = down.get(event.pointerId);
      down.delete(event.pointerId);
      if (!at || dragged || event.type !== 'pointerup') return;
      const { event: hit } = this.hit(at.x, at.y);
      if (hit) this.goTo(hit.at, hit);
      else if (at.x >= this.painter.left) this.goTo(this.painter.time(at.x));
    };
    canvas.addEventListener('pointerup', up);
    canvas.addEventListener('pointercancel', up);
    canvas.addEventListener('pointerleave', () => this.unread());
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (byId('keys').open || !byId('keys-on').checked) return;
    const where = target.closest('#stage') ? 'timeline'
      : target.closest('input:not([type=range], [type=radio], [type=checkbox]), textarea, select') ? 'text'
        : target.closest('button, a, input, summary, [tabindex]') ? 'control' : 'page';
    const deed = deedOf(event, where);
    if (!deed) return;
    event.preventDefault();
    this.do(deed);
  }

  /** What is at a place of the canvas. @param {number} x @param {number} y @returns {{event?: any, lane?: any}} */
  hit(x, y) {
    const lane = this.painter.drawn.find((one) => y >= one.lane.top - 4 && y <= one.lane.top + one.lane.height + 4);
    const mark = lane && nearestMark(lane.marks, x, 10);
    return { event: mark?.events[0], lane: lane?.lane };
  }

  // -- What is said about a place

  /** @param {number} x @param {number} y */
  read(x, y) {
    this.redraw();
    const reading = byId('reading');
    if (this.hover == null) return this.unread();
    const { event } = this.hit(x, y);
    const time = event ? event.at : this.hover;
    const then = this.track.then(time);
    const lines = [h('b', null, this.when(time))];
    if (event) {
      lines.push(h('span', null, event.label ?? event.message));
      if (event.journal?.message && event.journal.message !== event.label) lines.push(h('code', null, event.journal.message));
      lines.push(h('small', null, event.source));
    } else {
      if (then.state) lines.push(h('span', null, then.state.word));
      if (then.answer && time - then.answer.at < 3e6) {
        lines.push(h('span', null, then.answer.reason ? `request failed: ${then.answer.reason}` : `answered in ${human(Math.round(then.answer.latency))}`));
      }
      for (const fault of then.faults) lines.push(h('small', null, `fault: ${fault.fault}`));
    }
    reading.replaceChildren(...lines);
    reading.hidden = false;
    const wide = this.painter.width;
    const left = x > wide / 2 ? x - reading.offsetWidth - 14 : x + 14;
    reading.style.left = `${clamp(left, 0, Math.max(0, wide - reading.offsetWidth))}px`;
    reading.style.top = `${clamp(y + 12, 0, this.painter.height - 20)}px`;
    return undefined;
  }

  unread() {
    this.hover = null;
    byId('reading').hidden = true;
    this.redraw();
  }

  /** A time in words. @param {number} time @param {number} [decimals] */
  when(time, decimals = 3) {
    if (this.origin != null) return signed(Math.round(time - this.origin));
    const { wall } = this.app;
    return wall == null ? human(Math.round(time)) : clock(time + wall, decimals);
  }

  // -- Drawing

  /** Draws with the next frame, once. */
  redraw() {
    if (this.asked || document.hidden) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw();
    });
  }

  /** Moves the window along with the time. */
  advance() {
    const length = this.view.to - this.view.from;
    const now = this.now();
    this.view = { from: now - length, to: now };
  }

  draw() {
    if (this.following) this.advance();
    if (this.playing) this.playOn();
    const length = this.view.to - this.view.from;
    this.painter.draw({
      track: this.track, view: this.view, now: this.now(), cursor: this.cursor, hover: this.hover, origin: this.origin,
      wall: this.app.wall, selected: this.selected, live: this.app.live,
      bounds: this.track.then(this.time).settings?.bounds,
    });
    if (this.playing) this.redraw();
    else if (this.following && this.app.connected) {
      // Not before it has moved by half a pixel; and by steps, for who wants it calm.
      const half = length / 1000 / Math.max(1, this.painter.width) / 2;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.redraw(), this.calm.matches ? 1000 : clamp(half, 16, 1000));
    }
  }

  playOn() {
    const stepped = performance.now();
    const cursor = /** @type {number} */ (this.cursor) + (stepped - (this.stepped ?? stepped)) * 1000;
    this.stepped = stepped;
    this.cursor = cursor;
    if (cursor < this.now()) {
      this.view = showing(this.view, cursor);
    } else if (this.app.live) this.live();
    else {
      this.playing = false;
      this.cursor = this.track.to;
    }
    this.app.moved();
  }

  // -- Beside the canvas

  /** The slider, the buttons, the list and what is looked at: a few times a second at most. */
  refresh() {
    const { app, track } = this;
    const moving = this.following || this.playing;
    const now = this.now();
    /** @type {HTMLInputElement} */
    const slider = byId('when');
    const length = Math.max(1, Math.round((now - track.from) / 1000));
    if (Number.isFinite(length)) {
      slider.max = String(length);
      slider.step = String(Math.max(1, Math.round(length / 2000)));
      slider.value = String(Math.round((this.time - track.from) / 1000));
      const then = track.then(this.time);
      const where = this.cursor == null ? (app.live ? 'now' : 'the end') : this.when(this.time, 1);
      slider.setAttribute('aria-valuetext', `${where}${then.state ? `, ${then.state.word}` : ''}`);
    }
    const play = byId('do-play');
    setText(play.querySelector('span'), moving ? 'Pause' : 'Play');
    play.classList.toggle('moving', moving);
    byId('do-live')?.setAttribute('aria-pressed', String(this.following));
    this.list();
    this.detail();
    this.describe();
  }

  list() {
    const { events } = this.track;
    // Those up to the time that is looked at, and a few after it: newest first.
    const end = Math.min(events.length, this.cursor == null ? events.length : firstFrom(events, this.cursor + 1) + LISTED / 3);
    const shown = events.slice(Math.max(0, end - LISTED), end).reverse();
    const list = byId('events');
    reconcile(list, shown, (event) => String(event.id) + (this.origin ?? ''), (event) => h('li', null,
      h('button', { type: 'button', class: event.kind, click: () => this.goTo(event.at, event) },
        h('time', null, this.when(event.at)),
        h('span', { class: 'what' }, event.label ?? event.message),
        h('small', null, event.source))));
    const current = this.selected && list.querySelector(`[data-key="${String(this.selected.id) + (this.origin ?? '')}"] button`);
    if (current !== this.current) {
      this.current?.removeAttribute('aria-current');
      current?.setAttribute('aria-current', 'true');
      // In the list alone: the page stays where it is.
      if (current) list.scrollTop = current.parentElement.offsetTop - list.clientHeight / 3;
      this.current = current;
    }
    byId('no-events').hidden = shown.length > 0;
  }

  detail() {
    const event = this.selected;
    const key = event ? `${event.id}/${this.origin}` : '';
    if (this.detailed === key) return;
    this.detailed = key;
    const place = byId('detail');
    place.hidden = !event;
    if (!event) return place.replaceChildren();
    const fields = Object.entries(event.journal?.fields ?? event.fields ?? {});
    place.replaceChildren(...[
      h('h3', null, event.label ?? 'A line of the journal'),
      h('p', { class: 'from' }, `${this.when(event.at, 6)}, ${told(event)}`),
      (event.journal?.message ?? event.message) && h('pre', null, event.journal?.message ?? event.message),
      fields.length > 0 && h('dl', null, fields.map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, String(value))))),
    ].filter(Boolean));
    return undefined;
  }

  /** What the canvas shows, for who does not see it. */
  describe() {
    const { track, view } = this;
    const from = firstFrom(track.events, view.from);
    const n = firstFrom(track.events, view.to) - from;
    const episodes = [...track.episodes.values()].filter((one) => one.from < view.to && (one.over ? one.ends : Infinity) > view.from);
    const recovered = episodes.map((one) => phaseOf(one, 'recovery')).filter(Boolean);
    const text = [
      `${rough(view.to - view.from)} of the service's time, up to ${this.when(view.to, 0)}.`,
      `${n} events.`,
      episodes.length ? `${episodes.length} faults, ${recovered.length} recoveries${recovered.length ? `: ${recovered.map((one) => human(one.to - one.from)).slice(-5).join(', ')}` : ''}.` : 'No fault.',
    ].join(' ');
    if (!this.following || this.described !== n) this.painter.canvas.setAttribute('aria-label', text);
    this.described = n;
  }
}

/** Who said it, in words. @param {any} event */
function told(event) {
  if (event.source === 'hangproof') return 'seen or done by hangproof';
  return { systemd: 'from systemd, by the journal', 'sd-watchdog': 'from sd-watchdog, by the journal', service: 'from the service, by the journal' }[
    /** @type {'systemd'} */ (event.source)] ?? event.source;
}
