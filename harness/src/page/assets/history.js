/**
 * The recoveries so far: how long they took, and each of them to see again.
 */
import { byId, h, reconcile, setText, sign, svg } from './dom.js';
import { UNKNOWN, count, human, shareOf } from './format.js';
import { STEPS_OF_RECOVERY } from './paint.js';
import { decades, logPlace } from './scale.js';
import { phaseOf } from './store.js';

const PHASES = ['recovery', 'outage', 'detect', 'kill', 'restart', 'start'];
/** So many rows at first, and more with each press. */
const ROWS = 40;
const VERDICTS = ['fail', 'unsound', 'skip', 'pass'];

/** @param {any} app */
export function hookHistory(app) {
  const pick = byId('phases');
  pick.append(...PHASES.map((phase) => h('label', null,
    h('input', { type: 'radio', name: 'phase', value: phase, checked: phase === 'recovery', change: () => {
      app.phase = phase;
      showHistory(app);
    } }), h('span', null, phase))));
  app.phase = 'recovery';
  app.rows = ROWS;
  byId('more').addEventListener('click', () => {
    app.rows += ROWS * 4;
    showEpisodes(app);
  });
  for (const id of ['by-scenario', 'by-fault', 'by-verdict', 'order']) {
    byId(id).addEventListener('change', () => {
      app.rows = ROWS;
      showEpisodes(app);
    });
  }
  if (app.live) byId('order').value = 'newest';
}

/** @param {any} app */
export function showHistory(app) {
  const all = app.store.history?.groups ?? [];
  const groups = all.filter((/** @type {any} */ group) => group.phase === app.phase && group.n > 0);
  const recovered = new Map(all.filter((/** @type {any} */ group) => group.recovered).map((/** @type {any} */ group) => [group.fault, group.recovered]));
  byId('no-history').hidden = groups.length > 0;
  byId('distributions').hidden = !groups.length;
  const values = groups.flatMap((/** @type {any} */ group) => [group.min_usec, group.max_usec, group.bound_usec]).filter((/** @type {any} */ one) => one > 0);
  const range = decades(Math.min(...values), Math.max(...values));
  reconcile(byId('distributions').querySelector('tbody'), groups, (group) => JSON.stringify([group, range, recovered.get(group.fault)]), (group) => h('tr', null,
    h('th', { scope: 'row' }, group.fault, recovered.get(group.fault) && h('small', null, proven(recovered.get(group.fault)))),
    h('td', { class: 'number' }, `${group.n} of ${group.of}`),
    h('td', { class: 'number' }, h('b', null, human(group.p50_usec)), group.p50_interval && h('small', null, `${human(group.p50_interval[0])} – ${human(group.p50_interval[1])}`)),
    h('td', { class: 'number' }, group.p90_usec == null ? UNKNOWN : human(group.p90_usec), group.p99_usec != null && h('small', null, `p99 ${human(group.p99_usec)}`)),
    h('td', { class: 'number' }, human(group.max_usec)),
    h('td', { class: 'number' }, group.bound_usec == null ? 'none' : human(group.bound_usec)),
    h('td', { class: 'plot' }, distribution(group, range))));
  setText(byId('axis-from'), human(range.low));
  setText(byId('axis-to'), human(range.high));
}

/** @param {any} share */
function proven(share) {
  return `recovered ${shareOf(share)}`;
}

/**
 * Each value a stroke, the median a diamond in its interval, the bound a line with a foot.
 * @param {any} group
 * @param {{low: number, high: number}} range
 */
export function distribution(group, range) {
  const x = (/** @type {number} */ usec) => 4 + logPlace(usec, range) * 232;
  const strokes = group.values.map((/** @type {number} */ value) => `M${x(value).toFixed(1)} 7v12`).join('');
  const middle = x(group.p50_usec);
  const text = `${group.n} values from ${human(group.min_usec)} to ${human(group.max_usec)}, median ${human(group.p50_usec)}`;
  const parts = [svg('path', { class: 'base', d: 'M4 13h232' }), svg('path', { class: 'strokes', d: strokes })];
  if (group.p50_interval) parts.push(svg('path', { class: 'interval', d: `M${x(group.p50_interval[0]).toFixed(1)} 13H${x(group.p50_interval[1]).toFixed(1)}` }));
  parts.push(svg('path', { class: 'median', d: `M${middle.toFixed(1)} 8.5l4.5 4.5l-4.5 4.5l-4.5-4.5z` }));
  if (group.bound_usec) parts.push(svg('path', { class: 'limit', d: `M${x(group.bound_usec).toFixed(1)} 3v20m-3 0h6` }));
  return svg('svg', { viewBox: '0 0 240 26', role: 'img', 'aria-label': text, preserveAspectRatio: 'none' }, parts);
}

/** The phases of one recovery, beside those of others. @param {any} episode @param {number} longest */
function gantt(episode, longest) {
  const parts = (episode.phases ?? []).filter((/** @type {any} */ part) => STEPS_OF_RECOVERY.includes(part.phase));
  return svg('svg', { viewBox: '0 0 200 12', 'aria-hidden': 'true', preserveAspectRatio: 'none' }, parts.map((/** @type {any} */ part) => {
    const left = ((part.from - episode.from) / longest) * 200;
    return svg('rect', { class: part.phase, x: left.toFixed(2), y: 1, height: 10, width: Math.max(1, ((part.to - part.from) / longest) * 200).toFixed(2) });
  }));
}

/** How long a recovery took; Infinity where there was none. @param {any} episode */
export function tookOf(episode) {
  const recovery = phaseOf(episode, 'recovery') ?? phaseOf(episode, 'outage');
  return recovery ? recovery.to - recovery.from : Infinity;
}

/**
 * In the order asked for: failed first and among them the slowest, or the newest.
 * @param {any[]} episodes
 * @param {string} order
 */
export function sorted(episodes, order) {
  const rank = (/** @type {any} */ episode) => VERDICTS.indexOf(episode.verdict?.word ?? 'pass');
  // Where none was to come, none is slow.
  const time = (/** @type {any} */ episode) => (rank(episode) === VERDICTS.indexOf('pass') && tookOf(episode) === Infinity ? -1 : tookOf(episode));
  const compare = {
    newest: (/** @type {any} */ a, /** @type {any} */ b) => b.from - a.from,
    slowest: (/** @type {any} */ a, /** @type {any} */ b) => (time(b) === time(a) ? 0 : time(b) - time(a)),
    failed: (/** @type {any} */ a, /** @type {any} */ b) => rank(a) - rank(b) || (time(b) === time(a) ? 0 : time(b) - time(a)),
  }[/** @type {'newest'} */ (order)];
  return [...episodes].sort(compare);
}

/** @param {any} app */
export function showEpisodes(app) {
  const all = app.store.episodes();
  const wanted = { scenario: byId('by-scenario').value, fault: byId('by-fault').value, verdict: byId('by-verdict').value };
  options(byId('by-scenario'), all.map((one) => one.scenario));
  options(byId('by-fault'), all.map((one) => one.fault ?? 'none'));
  options(byId('by-verdict'), all.map((one) => one.verdict?.word).filter(Boolean));
  const matching = sorted(all.filter((one) => (!wanted.scenario || one.scenario === wanted.scenario)
    && (!wanted.fault || (one.fault ?? 'none') === wanted.fault) && (!wanted.verdict || one.verdict?.word === wanted.verdict)), byId('order').value);
  const shown = matching.slice(0, app.rows);
  const longest = shown.reduce((most, one) => Math.max(most, Number.isFinite(tookOf(one)) ? tookOf(one) : 0), 1);
  // In steps, so that one that is a little slower does not draw all others anew.
  const rounded = 10 ** (Math.ceil(Math.log10(longest) * 8) / 8);
  byId('no-episodes').hidden = matching.length > 0;
  setText(byId('no-episodes'), all.length ? 'None is like that.' : app.live ? 'Nothing has happened to the service yet. Inject a fault, or wait for one.' : 'No fault was injected.');
  byId('episodes').hidden = !matching.length;
  byId('more').hidden = matching.length <= shown.length;
  setText(byId('more'), `Show more of ${matching.length}`);
  setText(byId('how-many'), all.length ? (matching.length === all.length ? count(all.length, 'episode') : `${matching.length} of ${count(all.length, 'episode')}`) : '');
  const phases = (/** @type {any} */ one) => (one.phases ?? []).map((/** @type {any} */ part) => part.to);
  reconcile(byId('episodes').querySelector('tbody'), shown,
    (one) => JSON.stringify([one.key, phases(one), one.running, one.verdict, rounded]), (one) => row(app, one, rounded));
  for (const item of byId('episodes').querySelectorAll('tbody tr')) {
    item.classList.toggle('chosen', item.dataset.episode === app.chosen?.key);
  }
}

/** @param {any} app @param {any} one @param {number} longest */
function row(app, one, longest) {
  const recovery = phaseOf(one, 'recovery');
  const outage = phaseOf(one, 'outage');
  const word = one.verdict?.word;
  const name = `${one.fault ?? 'no fault'}${app.live ? '' : ` #${one.trial}`}`;
  return h('tr', { 'data-episode': one.key },
    h('td', null, h('button', { type: 'button', class: 'link', click: () => app.choose(one, true) },
      h('span', { class: 'visually-hidden' }, 'Show '), name),
    h('small', null, app.live ? app.timeline.when(one.from, 0) : one.scenario)),
    h('td', null, word ? h('span', { class: `verdict ${word}` }, sign(word), word) : one.over ? UNKNOWN : h('span', { class: 'verdict' }, sign('starting'), one.running ?? 'waiting')),
    h('td', { class: 'number' }, recovery ? human(recovery.to - recovery.from) : UNKNOWN, recovery?.bound_usec && h('small', null, `≤ ${human(recovery.bound_usec)}`)),
    h('td', { class: 'number' }, outage ? human(outage.to - outage.from) : UNKNOWN, one.failed_requests != null && h('small', null, `${one.failed_requests} failed`)),
    h('td', { class: 'plot' }, gantt(one, longest)));
}

/** Fills a select with what there is, once for each. @param {HTMLSelectElement} select @param {string[]} names */
function options(select, names) {
  const all = [...new Set(names)].sort();
  /** @type {any} */ (select.closest('label')).hidden = all.length < 2;
  if (select.dataset.names === all.join('\n')) return;
  select.dataset.names = all.join('\n');
  const { value } = select;
  select.replaceChildren(h('option', { value: '' }, 'all'), ...all.map((name) => h('option', { value: name }, name)));
  select.value = all.includes(value) ? value : '';
}

/** The episode that is looked at: each phase beside its bound, and what was expected. @param {any} app */
export function showEpisode(app) {
  const { timeline } = app;
  const chosen = app.chosen && app.store.trackOf(app.chosen) === timeline.track ? timeline.track.episodes.get(app.chosen.key) : null;
  const time = timeline.time;
  const episode = chosen ?? [...timeline.track.episodes.values()].filter((one) => one.from <= time + 1).at(-1);
  const place = byId('episode');
  place.hidden = !episode;
  if (!episode) return;
  const key = JSON.stringify([episode.key, episode.phases, episode.running, episode.verdict, episode.failed_requests]);
  if (place.dataset.shown === key) return;
  place.dataset.shown = key;
  const scale = Math.max(1, ...(episode.phases ?? []).map((/** @type {any} */ part) => part.to - part.from));
  const word = episode.verdict?.word;
  const was = (episode.phases ?? []).length > 0 || episode.running;
  place.replaceChildren(...[
    h('header', null,
      h('h3', null, `${episode.fault ?? 'No fault'}`, h('small', null, app.live ? timeline.when(episode.from, 0) : `${episode.scenario}, trial ${episode.trial}`)),
      word && h('span', { class: `verdict ${word}` }, sign(word), word)),
    h('p', { class: 'expect' }, episode.expect),
    ...(episode.verdict?.reasons ?? []).map((/** @type {string} */ reason) => h('p', { class: 'reason' }, reason)),
    was && h('table', null,
      h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'phase'), h('th', { scope: 'col', class: 'number' }, 'took'), h('th', { scope: 'col', class: 'number' }, 'bound'), h('th', { scope: 'col' }, h('span', { class: 'visually-hidden' }, 'drawn')))),
      h('tbody', null, PHASES.filter((name) => phaseOf(episode, name) || episode.running === name).sort((a, b) => order(a) - order(b)).map((name) => {
        const part = phaseOf(episode, name);
        return h('tr', null, h('th', { scope: 'row' }, svg('svg', { class: `swatch ${name}`, viewBox: '0 0 10 10', 'aria-hidden': 'true' }, svg('rect', { class: name, width: 10, height: 10 })), name),
          h('td', { class: 'number' }, part ? human(part.to - part.from) : '…'),
          h('td', { class: 'number' }, part?.bound_usec == null ? 'none' : human(part.bound_usec)),
          h('td', { class: 'plot' }, part && svg('svg', { viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, svg('rect', { class: name, y: 1, height: 6, width: Math.max(1, ((part.to - part.from) / scale) * 100).toFixed(1) }))));
      }))),
    episode.failed_requests != null && h('p', null, `${count(episode.failed_requests, 'request')} failed meanwhile.`),
  ].filter(Boolean));
}

/** @param {string} phase */
function order(phase) {
  return ['detect', 'kill', 'restart', 'start', 'recovery', 'outage'].indexOf(phase);
}
