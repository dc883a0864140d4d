/**
 * The hang report: which threads stood where, and what that means.
 */
import { byId, h } from './dom.js';
import { count } from './format.js';

/** The report of the case that is looked at, or else the last one up to then. @param {any} app */
function reportOf(app) {
  const { track, time } = app.timeline;
  const all = [...track.reports.values()];
  const chosen = app.chosen && all.filter((one) => one.at >= app.chosen.from && one.at <= (app.chosen.ends ?? Infinity)).at(-1);
  return chosen ?? all.filter((one) => one.at <= time + 1).at(-1) ?? null;
}

/** @param {any} app */
export function showHang(app) {
  const report = reportOf(app);
  const place = byId('hang-report');
  byId('no-report').hidden = Boolean(report);
  const key = report ? `${report.key}/${report.lines.length}/${report.threads?.length}` : '';
  if (place.dataset.shown === key) return;
  place.dataset.shown = key;
  if (!report) {
    place.replaceChildren();
    return;
  }
  const threads = report.threads ?? [];
  place.replaceChildren(...[
    h('p', { class: 'summary' }, report.summary),
    h('p', { class: 'from' }, `Written by sd-watchdog, ${app.timeline.when(report.at)}${report.pid ? `, of process ${report.pid}` : ''}, before it asked systemd for a restart.`),
    threads.length > 0 && h('div', { class: 'wide', tabindex: '0', role: 'region', 'aria-label': 'Threads' }, h('table', null,
      h('thead', null, h('tr', null, ['thread', 'name', 'state', 'stood in', 'that means'].map((name) => h('th', { scope: 'col' }, name)))),
      h('tbody', null, threads.map((/** @type {any} */ one) => h('tr', null,
        h('td', { class: 'number' }, one.tid == null ? count(one.count ?? 1, 'thread') : String(one.tid)), h('td', null, one.name), h('td', null, one.state), h('td', null, h('code', null, one.where)), h('td', null, one.means)))))),
    report.lines.length > 0 && h('details', { open: !threads.length }, h('summary', null, 'The report, line by line'), h('pre', { tabindex: '0' }, report.lines.join('\n'))),
  ].filter(Boolean));
}
