/**
 * The verdicts of a run: those that did not pass first.
 */
import { byId, h, setText, sign } from './dom.js';
import { UNKNOWN, count, human, systemd } from './format.js';
import { filesOf } from './unit.js';

const ORDER = ['fail', 'unsound', 'skip', 'pass'];

/** Those that did not pass first, then the slowest. @param {any[]} runs */
export function worstFirst(runs) {
  return [...runs].sort((a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict) || (b.slowest_usec ?? 0) - (a.slowest_usec ?? 0));
}

/** All of them in a sentence. @param {any[]} runs */
export function inAll(runs) {
  const of = (/** @type {string} */ word) => runs.filter((run) => run.verdict === word).length;
  const parts = [
    [of('fail'), 'failed'], [of('unsound'), 'unsound'], [of('skip'), 'skipped'], [of('pass'), 'passed'],
  ].filter(([n]) => n).map(([n, word]) => `${n} ${word}`);
  return `${count(runs.length, 'scenario')}: ${parts.join(', ')}`;
}

/** @param {any} app */
export function showRuns(app) {
  const runs = worstFirst([...app.store.runs.values()]);
  if (app.live) return;
  byId('verdicts').hidden = !runs.length;
  if (!runs.length) return;
  const worst = runs[0].verdict;
  byId('in-all').replaceChildren(sign(worst), h('span', null, inAll(runs)));
  byId('runs').replaceChildren(...runs.map((run) => h('details', { class: `run ${run.verdict}`, open: run.verdict !== 'pass' && runs.length < 12 },
    h('summary', null,
      h('span', { class: `verdict ${run.verdict}` }, sign(run.verdict), run.verdict),
      h('strong', null, run.scenario),
      h('span', { class: 'question' }, run.question),
      h('span', { class: 'number' }, run.sound ? `${run.passed} of ${run.sound}` : UNKNOWN),
      h('span', { class: 'number' }, run.slowest_usec == null ? '' : human(run.slowest_usec))),
    h('div', { class: 'inside' },
      run.skipped && h('p', { class: 'reason' }, run.skipped),
      // Where the trial that broke is there, it says so.
      run.broke && !bad(app, run).some((one) => one.verdict.reasons.includes(run.broke)) && h('p', { class: 'reason' }, run.broke),
      h('p', null, `${run.of ? `${run.passed} of ${count(run.sound, 'sound trial')} passed, ${run.of} made.` : 'No trial was made to its end.'}${run.systemd ? ` ${systemd(run.systemd)}, ${run.backend}.` : ''}`),
      reasons(app, run),
      run.replay && h('p', null, 'Again: ', h('code', { class: 'command' }, run.replay)),
      run.evidence && h('p', null, 'Evidence: ', h('code', null, run.evidence)),
      run.journal?.length && h('details', null, h('summary', null, 'The end of the journal'), h('pre', { tabindex: '0' }, run.journal.join('\n'))),
      filesOf(app.store.unitOf(run.scenario, Infinity)),
      h('p', null, h('button', { type: 'button', class: 'link', click: () => only(run.scenario) }, 'Its trials'))))));
  setText(byId('verdicts-title'), runs.length > 1 ? 'Verdicts' : 'Verdict');
}

/** Its trials that did not pass. @param {any} app @param {any} run @returns {any[]} */
function bad(app, run) {
  return app.store.episodes().filter((/** @type {any} */ one) => one.scenario === run.scenario && one.verdict && one.verdict.word !== 'pass');
}

/** Why they did not, once each, with the trial to look at. @param {any} app @param {any} run */
function reasons(app, run) {
  const all = bad(app, run);
  if (!all.length) return null;
  return h('ul', { class: 'reasons' }, all.slice(0, 5).map((/** @type {any} */ one) => h('li', null,
    h('button', { type: 'button', class: 'link', click: () => app.choose(one, true) }, `trial ${one.trial}`), ` ${one.verdict.word}: ${one.verdict.reasons.join('; ')}`)),
  all.length > 5 && h('li', null, `and ${all.length - 5} more`));
}

/** @param {string} scenario */
function only(scenario) {
  const select = byId('by-scenario');
  select.value = scenario;
  select.dispatchEvent(new Event('change'));
  byId('history').scrollIntoView();
  byId('history').focus({ preventScroll: true });
}
