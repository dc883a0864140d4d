/**
 * How the service is: now, or at the time that is looked at.
 */
import { byId, setText, sign } from './dom.js';
import { UNKNOWN, clock, human, rough, systemd } from './format.js';

const WORDS = {
  healthy: 'Healthy', hung: 'Hung', killed: 'Being killed', restarting: 'Restarting', starting: 'Starting', failed: 'Failed',
  stopped: 'Stopped', unknown: 'Unknown',
};

/** @param {string} word */
export function stateName(word) {
  return WORDS[/** @type {keyof typeof WORDS} */ (word)] ?? word;
}

/** @param {any} app */
export function showNow(app) {
  const { timeline } = app;
  const time = timeline.time;
  const then = timeline.track.then(time);
  const word = then.state?.word ?? 'unknown';
  const pill = byId('state');
  if (pill.dataset.word !== word) {
    pill.dataset.word = word;
    pill.querySelector('.sign').replaceWith(sign(word));
    setText(pill.querySelector('b'), stateName(word));
  }
  setText(pill.querySelector('small'), then.state && word !== 'healthy' ? `for ${rough(time - then.state.since)}` : '');
  setText(byId('says'), then.state?.says ?? (app.live ? 'Nothing is known of the service yet.' : 'Nothing was known at this time.'));
  setText(byId('pid'), then.state?.pid == null ? UNKNOWN : String(then.state.pid));
  setText(byId('uptime'), then.state?.started == null || then.state.pid == null ? UNKNOWN : rough(time - then.state.started));
  setText(byId('restarts'), then.state?.restarts == null ? UNKNOWN : String(then.state.restarts));
  const answer = then.answer;
  setText(byId('latency'), !answer ? UNKNOWN : answer.reason ? 'no answer' : human(Math.round(answer.latency)));
  byId('latency').title = answer?.reason ?? '';
  setText(byId('status'), then.state?.status ?? (then.settings?.guarded === false ? 'sd-watchdog is off duty' : UNKNOWN));
  const past = byId('past');
  past.hidden = !app.live || timeline.following || timeline.cursor == null;
  if (!past.hidden) {
    setText(past.querySelector('span'), `You are looking at ${timeline.when(time, 1)}, ${rough(app.now() - time)} ago.`);
  }
}

/** Says aloud what has become of the service: each change once, and only while it is now. @param {any} app */
export function announce(app) {
  const state = app.store.track().states.at(-1);
  if (!app.live || !state || state.word === app.announced) return;
  if (app.announced != null && app.timeline.following) {
    const at = app.wall == null ? '' : `, ${clock(state.at + app.wall)}`;
    setText(byId('said'), `The service: ${stateName(state.word)}${at}.`);
  }
  app.announced = state.word;
}

/** What is looked at: the unit and what surrounds it. @param {any} app */
export function showScene(app) {
  const { scene } = app.store;
  if (!scene) return;
  setText(byId('unit'), scene.unit ?? '');
  setText(byId('title'), scene.title ?? 'hangproof');
  document.title = app.live ? `${scene.unit} – hangproof` : scene.title;
  const facts = [scene.systemd && systemd(scene.systemd), scene.backend, scene.machine, scene.version].filter(Boolean);
  setText(byId('facts'), facts.join(' · '));
  const link = byId('its-page');
  if (link) {
    link.hidden = !/^https?:\/\//.test(scene.url ?? '');
    if (!link.hidden) link.href = scene.url;
  }
  const command = byId('command');
  command.hidden = !scene.command;
  setText(command.querySelector('code'), scene.command ?? '');
}
