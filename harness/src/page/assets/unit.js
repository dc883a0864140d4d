/**
 * The unit and its drop-ins, as they are in force.
 */
import { byId, h } from './dom.js';

/** Each of a unit's files, to be opened. @param {any} unit */
export function filesOf(unit) {
  return (unit?.files ?? []).map((/** @type {any} */ file) => h('details', null,
    h('summary', null, file.path.endsWith('.conf') ? 'Drop-in ' : 'Unit ', h('code', null, file.path)),
    h('pre', { tabindex: '0' }, file.text)));
}

/** Those of the time that is looked at. In a report they are with each verdict. @param {any} app */
export function showUnit(app) {
  const { store, timeline } = app;
  const unit = store.runs.size ? null : store.unitAt(timeline.track, timeline.time);
  const files = byId('files');
  const key = unit ? String(unit.id) : '';
  byId('units').hidden = !unit;
  if ((files.dataset.shown ?? '') === key) return;
  files.dataset.shown = key;
  files.replaceChildren(...filesOf(unit));
}
