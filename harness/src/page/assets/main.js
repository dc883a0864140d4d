/**
 * The page, from its parts: what is told goes into the store, what changed is shown.
 */
import { hookControls, say, showControls } from './controls.js';
import { byId, h, setText } from './dom.js';
import { rough } from './format.js';
import { showHang } from './hang.js';
import { hookHistory, showEpisode, showEpisodes, showHistory, sorted } from './history.js';
import { KEYS, keyName } from './keys.js';
import { announce, showNow, showScene } from './now.js';
import { showRuns } from './runs.js';
import { embedded, listen } from './source.js';
import { Store } from './store.js';
import { Timeline } from './timeline.js';
import { Tour } from './tour.js';
import { showUnit } from './unit.js';

/** So often what stands beside the canvas is brought up to date. */
const REFRESH_MS = 200;
/** So soon it is where something has happened: a few tellings come together. */
const SOON_MS = 12;
const HAPPENS = new Set(['state', 'event', 'episode', 'fault', 'controls']);

class App {
  /** @param {boolean} live @param {boolean} byCase */
  constructor(live, byCase) {
    this.live = live;
    this.store = new Store(byCase);
    this.connected = false;
    this.asking = false;
    /** Whether the server was started anew: then this page's token is void, and another page is on its way. */
    this.outdated = false;
    /** Whether it was lost before, which is to be said when it is whole. */
    this.again = false;
    /** What CLOCK_MONOTONIC is ahead of performance.now(), in microseconds. */
    this.ahead = -Infinity;
    /** @type {number | null} when the connection was lost */
    this.lostAt = null;
    /** @type {number | null} what unix time is ahead of CLOCK_MONOTONIC */
    this.wall = null;
    /** @type {any} the episode that was asked for */
    this.chosen = null;
    /** When what stands beside the canvas is to be brought up to date next; Infinity while nobody asks for it. */
    this.due = Infinity;
    this.timeline = new Timeline(this);
    hookHistory(this);
    if (live) {
      hookControls(this);
      this.tour = new Tour(this);
    }
    byId('key-list').replaceChildren(...KEYS.flatMap((entry) => [
      h('dt', null, entry.keys.map((key) => h('kbd', null, keyName(key)))), h('dd', null, entry.says)]));
    byId('close-keys').addEventListener('click', () => byId('keys').close());
  }

  /** This moment, as the machine counts it; where the connection is lost, the last one that is known. */
  now() {
    if (!this.live) return this.store.track().to;
    const now = performance.now() * 1000 + this.ahead;
    return Number.isFinite(now) ? this.lostAt ?? now : 0;
  }

  /** @param {any} telling */
  take(telling) {
    if (this.live) {
      const ahead = telling.at - performance.now() * 1000;
      // What comes late says nothing of the clock: the one that took least does. (A machine that was started anew has another.)
      if (ahead > this.ahead || this.ahead - ahead > 6 * 3600e6) this.ahead = ahead;
    }
    this.store.take(telling);
    if (telling.kind === 'scene') this.wall = telling.wall_usec == null ? this.wall : telling.wall_usec - telling.at;
    this.moved(HAPPENS.has(telling.kind) ? SOON_MS : REFRESH_MS);
    this.timeline.redraw();
  }

  /** @param {any} episode @param {boolean} [look] */
  choose(episode, look = false) {
    this.chosen = episode;
    this.timeline.showEpisode(episode);
    showEpisodes(this);
    if (!look) return;
    byId('timeline').scrollIntoView({ behavior: this.timeline.calm.matches ? 'auto' : 'smooth', block: 'start' });
    byId('stage').focus({ preventScroll: true });
  }

  /** Something beside the canvas has to change, soon. @param {number} [within] */
  moved(within = REFRESH_MS) {
    const due = performance.now() + within;
    if (this.due <= due) return;
    this.due = due;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.due = Infinity;
      this.refresh();
    }, within);
  }

  refresh() {
    const { changed } = this.store;
    if (this.timeline.following) this.chosen = null;
    if (changed.has('scene')) showScene(this);
    this.timeline.refresh();
    showNow(this);
    showEpisode(this);
    showHang(this);
    showUnit(this);
    if (changed.has('history')) showHistory(this);
    if (changed.has('episode')) showEpisodes(this);
    if (changed.has('run')) showRuns(this);
    if (this.live) {
      if (changed.has('controls') || changed.has('settings')) showControls(this);
      this.tour?.show();
      announce(this);
      if (this.lostAt != null) setText(byId('lost-for'), rough(performance.now() * 1000 + this.ahead - this.lostAt));
      // Times that grow, grow without being told.
      if (!document.hidden) this.moved();
    }
    changed.clear();
  }

  /** @param {boolean} connected */
  connection(connected) {
    if (this.connected === connected && byId('lost').hidden === connected) return;
    if (!connected && this.connected) this.lostAt = this.now();
    if (connected) this.lostAt = null;
    this.again = connected && !this.connected && this.store.lastId > 0;
    this.connected = connected;
    byId('lost').hidden = connected;
    document.body.classList.toggle('disconnected', !connected);
    showControls(this);
    this.moved();
    this.timeline.redraw();
  }

  /** All that was told meanwhile has come. */
  whole() {
    if (this.again) say('Connected again. Nothing is missing.', true);
    this.again = false;
  }
}

/** Once the page is on the screen, as it is before anything is told. What nobody looks at is not painted, and not waited for. */
function painted() {
  return new Promise((done) => {
    if (document.hidden) done(undefined);
    else requestAnimationFrame(() => setTimeout(done));
  });
}

async function main() {
  /** @type {any[] | null} */
  let still;
  await painted();
  try {
    still = await embedded(document);
  } catch (mistake) {
    byId('says').textContent = `The data in this page cannot be read: ${mistake}`;
    return;
  }
  const app = new App(!still, Boolean(still?.some((telling) => telling.kind === 'run')));
  if (still) {
    for (const telling of still) app.take(telling);
    app.refresh();
    // Of many timelines, that of the trial that is most worth a look.
    const [worst] = sorted(app.store.episodes(), 'failed');
    if (worst && app.store.byCase) app.choose(worst);
    else app.timeline.fit();
    app.refresh();
    return;
  }
  document.addEventListener('visibilitychange', () => app.moved());
  showEpisodes(app);
  app.refresh();
  listen({
    take: (telling) => app.take(telling),
    stale: (restarted) => {
      if (restarted) {
        app.outdated = true;
        showControls(app);
        location.reload();
        return;
      }
      if (app.store.lastId) say('This page was away for too long. This is all that the server knows.', true);
      app.store.clear();
      app.ahead = -Infinity;
      app.timeline.track = app.store.track();
      app.timeline.live();
    },
    gap: () => {
      say('This page lagged behind. It is catching up.', true);
    },
    lost: () => app.connection(false),
    found: () => app.connection(true),
    whole: () => app.whole(),
  });
}

main();
