/**
 * The tellings, in order: what is now, and what was at any time before.
 */
import { Series, firstFrom } from './series.js';

/** @typedef {{id: number, at: number, kind: string, [more: string]: any}} Telling */

/** So many events are remembered. */
const MOST_EVENTS = 20_000;

/**
 * Puts one into a list that is sorted by `at`, nearly always at its end.
 * @template {{at: number}} T
 * @param {T[]} list
 * @param {T} one
 */
export function insertSorted(list, one) {
  if (!list.length || list[list.length - 1].at <= one.at) list.push(one);
  else list.splice(firstFrom(list, one.at + 1), 0, one);
}

/** The last of a sorted list that was there at `time`. @template {{at: number}} T @param {T[]} list @param {number} time */
export function lastAt(list, time) {
  return list[firstFrom(list, time + 1) - 1];
}

/** What happened to one machine's service: live there is one, in a report one for each case. */
export class Track {
  /** @param {string} key */
  constructor(key) {
    this.key = key;
    this.answers = new Series();
    /** @type {string[]} outcome - 1 is an index into it */
    this.reasons = [];
    /** @type {Telling[]} */
    this.events = [];
    /** @type {Telling[]} */
    this.states = [];
    /** @type {Telling[]} */
    this.settings = [];
    /** @type {Map<string, Telling>} */
    this.faults = new Map();
    /** @type {Map<string, Telling>} */
    this.episodes = new Map();
    /** @type {Map<string, Telling>} */
    this.reports = new Map();
    /** Who has said something. @type {Set<string>} */
    this.sources = new Set();
    this.from = Infinity;
    this.to = -Infinity;
    /** Since when it differs from what it was when it was drawn last; whoever draws sets it back. */
    this.touched = -Infinity;
  }

  /** @param {number} time */
  reach(time) {
    if (time < this.touched) this.touched = time;
    if (time < this.from) this.from = time;
    if (time > this.to) this.to = time;
  }

  /** What was known at `time`. @param {number} time */
  then(time) {
    const index = this.answers.before(time);
    const within = (/** @type {Telling} */ one) => one.from <= time && (one.to ?? one.ends ?? Infinity) >= time;
    return {
      state: lastAt(this.states, time),
      settings: lastAt(this.settings, time) ?? this.settings[0],
      answer: index < 0 ? null : {
        at: this.answers.at[index],
        latency: this.answers.latency[index],
        reason: this.reasonOf(this.answers.outcome[index]),
      },
      faults: [...this.faults.values()].filter(within),
      episode: [...this.episodes.values()].reverse().find(within),
    };
  }

  /** Why an answer was not good; null when it was. @param {number} outcome */
  reasonOf(outcome) {
    return outcome ? this.reasons[outcome - 1] ?? 'failed' : null;
  }

  /**
   * The event after `time`, or the one before it.
   * @param {number} time
   * @param {1 | -1} way
   */
  neighbour(time, way) {
    const index = way > 0 ? firstFrom(this.events, time + 1) : firstFrom(this.events, time) - 1;
    return this.events[index];
  }
}

/** When an episode's last phase ended; Infinity while it is going on. @param {Telling} episode */
export function endOf(episode) {
  if (!episode.over) return Infinity;
  return (episode.phases ?? []).reduce((/** @type {number} */ end, /** @type {any} */ phase) => Math.max(end, phase.to), episode.from);
}

/** A phase of an episode, by its name. @param {Telling} episode @param {string} name */
export function phaseOf(episode, name) {
  return (episode.phases ?? []).find((/** @type {any} */ phase) => phase.phase === name);
}

/** In which case a telling is, where it says so. @param {Telling} telling @returns {string | undefined} */
export function caseOf(telling) {
  return telling.case ?? (telling.kind === 'fault' ? telling.key.replace(/\/\d+$/, '') : undefined);
}

export class Store {
  /** @param {boolean} byCase whether each case has a track of its own: cases of a run may overlap, and come from several hosts */
  constructor(byCase = false) {
    this.byCase = byCase;
    this.clear();
  }

  /** Forgets everything: the whole ring comes again. */
  clear() {
    /** @type {Map<string, Track>} */
    this.tracks = new Map();
    /** @type {Telling | undefined} */
    this.scene = undefined;
    /** @type {Telling | undefined} */
    this.controls = undefined;
    /** @type {Telling | undefined} */
    this.history = undefined;
    /** @type {Map<string, Telling>} */
    this.runs = new Map();
    /** @type {Telling[]} */
    this.units = [];
    this.lastId = 0;
    /** The track of the case that was named last: what comes without one belongs to it. */
    this.open = '';
    /** Which kinds have changed since somebody looked. @type {Set<string>} */
    this.changed = new Set();
  }

  /** @param {string} [key] */
  track(key = '') {
    let track = this.tracks.get(key);
    if (!track) this.tracks.set(key, track = new Track(key));
    return track;
  }

  /** All episodes of all tracks, in their order. */
  episodes() {
    return [...this.tracks.values()].flatMap((track) => [...track.episodes.values()]);
  }

  /** The track in which an episode is. @param {Telling} episode */
  trackOf(episode) {
    return this.track(this.byCase ? caseOf(episode) : '');
  }

  /** The unit's files that were in force there and then. @param {Track} track @param {number} time */
  unitAt(track, time) {
    const own = this.units.find((one) => this.byCase && one.case === track.key);
    if (own) return own;
    const [episode] = track.episodes.values();
    return this.unitOf(this.byCase ? episode?.scenario ?? '' : null, time);
  }

  /** Those of a scenario, or of any: every machine tells its own once, and where nothing is tried it is of none. @param {string | null} scenario @param {number} time */
  unitOf(scenario, time) {
    const all = scenario == null ? this.units : this.units.filter((one) => one.scenario === scenario || !one.scenario);
    return lastAt(all, time) ?? all[0];
  }

  /** @param {Telling} telling */
  take(telling) {
    // A telling comes twice when a connection was cut at the wrong moment.
    if (telling.id <= this.lastId) return;
    this.lastId = telling.id;
    const take = TAKES[telling.kind];
    if (!take) return;
    this.changed.add(telling.kind);
    this.open = this.byCase ? caseOf(telling) ?? this.open : '';
    take(this, telling);
  }
}

/** @type {Record<string, (store: Store, telling: any) => void>} */
const TAKES = {
  scene(store, telling) {
    store.scene = telling;
  },
  controls(store, telling) {
    store.controls = telling;
  },
  history(store, telling) {
    store.history = telling;
  },
  run(store, telling) {
    store.runs.set(telling.scenario, telling);
  },
  unit(store, telling) {
    insertSorted(store.units, telling);
  },
  settings(store, telling) {
    insertSorted(store.track(store.open).settings, telling);
  },
  state(store, telling) {
    const track = store.track(store.open);
    const { states } = track;
    const place = firstFrom(states, telling.at + 1) - 1;
    // What was told later for the same time is what is true of it.
    if (states[place]?.at === telling.at && states[place].case === telling.case) states[place] = telling;
    else insertSorted(states, telling);
    track.reach(telling.at);
  },
  answers(store, telling) {
    const track = store.track(store.open);
    const reasons = (telling.reasons ?? []).map((/** @type {string} */ reason) => {
      let index = track.reasons.indexOf(reason);
      if (index < 0) index = track.reasons.push(reason) - 1;
      return index + 1;
    });
    for (const [asked, latency, outcome] of telling.answers) {
      track.answers.push(asked, latency, outcome ? reasons[outcome - 1] ?? 1 : 0);
      track.reach(asked);
      track.reach(asked + latency);
    }
  },
  event(store, telling) {
    const { events } = store.track(store.open);
    insertSorted(events, telling);
    store.track(store.open).sources.add(telling.source);
    if (events.length > MOST_EVENTS) events.splice(0, MOST_EVENTS >> 2);
    store.track(store.open).reach(telling.at);
  },
  line(store, telling) {
    TAKES.event(store, telling);
  },
  fault(store, telling) {
    const track = store.track(store.open);
    track.faults.set(telling.key, telling);
    track.reach(telling.from);
    if (telling.to) track.reach(telling.to);
  },
  episode(store, telling) {
    const track = store.track(store.open);
    telling.ends = endOf(telling);
    track.episodes.set(telling.key, telling);
    track.reach(telling.from);
    if (telling.over) track.reach(telling.ends);
  },
  report(store, telling) {
    store.track(store.open).reports.set(telling.key, telling);
  },
};
