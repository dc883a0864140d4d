/**
 * The tour: what a hang is, in three acts. It says what to do and shows what was measured; both are the server's.
 */
import { byId, h, setText } from './dom.js';
import { human, rough } from './format.js';
import { busyWith, perform, waits } from './controls.js';
import { phaseOf } from './store.js';

/** Which faults show it best, the best first. */
const CRASHES = ['crash', 'segfault', 'exit', 'kill'];
const HANGS = ['deadlock', 'mute', 'accept-stall', 'spin', 'sigstop'];
const MEMORY = 'hangproof-tour';
/** How long a start may take that a hang waits for. */
const PATIENCE_MS = 30_000;
/** What is shown of a fault that somebody healed, or restarted the service of, before it had come to something. */
const BY_HAND = { name: 'Before it could be measured, it was ended', figure: 'by hand', done: true };

/**
 * The best of the faults that there are now.
 * @param {any[]} faults
 * @param {string[]} wanted
 * @returns {string | undefined}
 */
export function bestOf(faults, wanted) {
  return wanted.find((name) => faults.some((fault) => fault.name === name && fault.available));
}

/**
 * The newest episode since then, of one of these faults.
 * @param {Map<string, any>} episodes
 * @param {number | undefined} since
 * @param {string[]} faults
 */
export function newestSince(episodes, since, faults) {
  if (since == null) return undefined;
  return [...episodes.values()].filter((one) => one.from >= since && faults.includes(one.fault)).at(-1);
}

/**
 * What an episode has come to, as a figure beside its bound.
 * @param {any} episode
 * @param {any} bounds
 * @param {number} now
 * @returns {{name: string, figure: string, bound: string, done: boolean} | null}
 */
export function figureOf(episode, bounds, now) {
  if (!episode) return null;
  const recovery = phaseOf(episode, 'recovery');
  const limit = recovery?.bound_usec ?? bounds?.recovery_usec;
  const bound = limit ? `at most ${human(limit)}` : 'nothing bounds it';
  if (recovery) return { name: 'Served again after', figure: human(recovery.to - recovery.from), bound, done: true };
  if (episode.over) return episode.verdict?.word === 'fail' ? { name: 'Served again', figure: 'not in time', bound, done: true } : { ...BY_HAND, bound };
  return { name: 'Not back for', figure: rough(now - episode.from), bound, done: false };
}

/**
 * For how long a hang had nobody served. It goes on after its episode where nobody ends it, as a state that has lasted since before.
 * @param {any} hang
 * @param {number | undefined} until when its fault was over
 * @param {any} state
 * @param {number} now
 * @returns {{name: string, figure: string, bound: string, done: boolean} | null}
 */
export function outageOf(hang, until, state, now) {
  if (!hang) return null;
  const bound = 'systemd has no timer for this';
  const outage = phaseOf(hang, 'outage');
  if (outage) return { name: 'Nobody was served for', figure: human(outage.to - outage.from), bound, done: true };
  const hangs = state?.word === 'hung' && !(hang.over && state.since > (until ?? hang.from));
  if (hang.over && !hangs) return { ...BY_HAND, bound };
  return { name: 'Nobody has been served for', figure: rough(now - (hangs ? state.since : hang.from)), bound, done: !hangs };
}

/**
 * Whether the third act can hang the service: whoever puts the watchdog on duty has the service started anew, which ends any hang that
 * there was, and a fault is for a service that serves.
 * @param {any} controls
 * @param {string | null | undefined} busy
 * @param {any} state
 */
export function servesWithWatchdog(controls, busy, state) {
  return Boolean(controls?.watchdog) && !busy && state?.word === 'healthy';
}

export class Tour {
  /** @param {any} app */
  constructor(app) {
    this.app = app;
    /** Until when the service is hung as soon as it serves with its watchdog: not long, for somebody may do something else. */
    this.hangs = 0;
    /** @type {{act: number, since: Record<string, number>, closed: boolean}} */
    this.memory = { act: 1, since: {}, closed: false };
    try {
      Object.assign(this.memory, JSON.parse(sessionStorage.getItem(MEMORY) ?? '{}'));
    } catch {
      // A browser that keeps nothing: the tour begins at its beginning.
    }
    for (const act of [1, 2, 3]) byId(`to-act-${act}`).addEventListener('click', () => this.turn(act));
    byId('skip-tour').addEventListener('click', () => this.close(true));
    byId('open-tour').addEventListener('click', () => this.close(false));
    byId('act-crash').addEventListener('click', () => this.inject(1, CRASHES));
    byId('act-off').addEventListener('click', () => perform(app, { deed: 'watchdog', on: false }));
    byId('act-hang').addEventListener('click', () => this.inject(2, HANGS));
    byId('act-on').addEventListener('click', async () => {
      const answer = await perform(app, { deed: 'watchdog', on: true });
      this.hangs = answer.ok ? performance.now() + PATIENCE_MS : 0;
    });
    byId('act-again').addEventListener('click', () => this.inject(3, HANGS));
    for (const button of document.querySelectorAll('[data-next]')) {
      button.addEventListener('click', () => {
        const next = Number(/** @type {any} */ (button).dataset.next);
        if (next > 3) this.close(true);
        else this.turn(next);
      });
    }
    this.close(this.memory.closed);
    this.turn(this.memory.act, false);
  }

  keep() {
    try {
      sessionStorage.setItem(MEMORY, JSON.stringify(this.memory));
    } catch {
      // As above.
    }
  }

  /** @param {boolean} closed */
  close(closed) {
    this.memory.closed = closed;
    if (closed) this.hangs = 0;
    byId('tour').classList.toggle('closed', closed);
    byId('open-tour').hidden = !closed;
    byId('acts').hidden = closed;
    byId('skip-tour').hidden = closed;
    if (!closed) this.turn(this.memory.act, false);
    this.keep();
  }

  /** @param {number} act @param {boolean} [focus] */
  turn(act, focus = true) {
    if (act !== 3) this.hangs = 0;
    this.memory.act = act;
    for (const one of [1, 2, 3]) {
      byId(`act-${one}`).hidden = one !== act;
      const button = byId(`to-act-${one}`);
      if (one === act) button.setAttribute('aria-current', 'step');
      else button.removeAttribute('aria-current');
    }
    if (focus) byId(`act-${act}`).querySelector('h3').focus();
    this.keep();
    this.show();
  }

  /** @param {number} act */
  mark(act) {
    // A little earlier: the two clocks are compared over a connection.
    this.memory.since[act] = this.app.now() - 500_000;
    this.keep();
  }

  /** @param {number} act @param {string[]} wanted */
  inject(act, wanted) {
    const fault = bestOf(this.app.store.controls?.faults ?? [], wanted);
    if (!fault) return;
    this.hangs = 0;
    this.mark(act);
    this.app.timeline.live();
    perform(this.app, { deed: 'inject', fault });
  }

  show() {
    if (this.memory.closed) return;
    const { store } = this.app;
    const { controls } = store;
    const track = store.track();
    const now = this.app.now();
    const { since } = this.memory;
    const then = track.then(now);
    const bounds = then.settings?.bounds;
    const busy = busyWith(this.app);
    const faults = controls?.faults ?? [];
    const noHang = then.state?.word === 'hung' ? 'It hangs already.' : bestOf(faults, HANGS) ? null : 'There is no fault here that hangs the service.';

    waits(byId('act-crash'), busy ?? (bestOf(faults, CRASHES) ? null : 'There is no fault here that crashes the service.'));
    this.figure(1, figureOf(newestSince(track.episodes, since[1], CRASHES), bounds, now));

    waits(byId('act-off'), busy ?? (controls?.watchdog ? null : 'It is off duty already.'));
    waits(byId('act-hang'), busy ?? (controls?.watchdog ? 'First the watchdog has to be off duty.' : noHang));
    const hang = newestSince(track.episodes, since[2], HANGS);
    this.figure(2, outageOf(hang, track.faults.get(hang?.key)?.to, then.state, now));

    if (performance.now() < this.hangs && servesWithWatchdog(controls, busy, then.state)) this.inject(3, HANGS);
    waits(byId('act-on'), busy ?? (controls?.watchdog ? 'It is on duty.' : null));
    waits(byId('act-again'), busy ?? (!controls?.watchdog ? 'First the watchdog has to be on duty.' : noHang));
    const cured = newestSince(track.episodes, since[3], HANGS);
    this.figure(3, figureOf(cured, bounds, now), cured && phaseOf(cured, 'detect'));
  }

  /**
   * @param {number} act
   * @param {{name: string, figure: string, bound: string, done: boolean} | null} measured
   * @param {any} [detect]
   */
  figure(act, measured, detect) {
    const place = byId(`act-${act}`).querySelector('.measured');
    const key = JSON.stringify([measured, detect]);
    if (place.dataset.shown === key) return;
    place.dataset.shown = key;
    place.classList.toggle('empty', !measured);
    if (!measured) {
      place.replaceChildren(h('p', null, 'What is measured will stand here.'));
      return;
    }
    if (!place.querySelector('.big')) {
      place.replaceChildren(...['name', 'big', 'bound', 'more'].map((name) => h('p', { class: name })));
    }
    setText(place.querySelector('.name'), measured.name);
    setText(place.querySelector('.big'), measured.figure);
    setText(place.querySelector('.bound'), `bound: ${measured.bound}`);
    setText(place.querySelector('.more'), detect
      ? `The hang was seen after ${human(detect.to - detect.from)}${detect.bound_usec ? `, bound: at most ${human(detect.bound_usec)}` : ''}.` : '');
    place.classList.toggle('running', !measured.done);
  }
}
