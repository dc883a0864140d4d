/**
 * What can be done to the service: a button for every fault, and the watchdog's switches.
 */
import { byId, h, reconcile, setText } from './dom.js';
import { human } from './format.js';
import { ask } from './source.js';

/** Does something, and says what came of it. @param {any} app @param {Record<string, any>} deed */
export async function perform(app, deed) {
  app.asking = true;
  showControls(app);
  const answer = await ask(deed);
  app.asking = false;
  say(answer.says, answer.ok);
  showControls(app);
  return answer;
}

/** Says something at the edge of the page. @param {string} text @param {boolean} ok */
export function say(text, ok) {
  const place = byId('said');
  place.classList.toggle('refused', !ok);
  place.textContent = text;
  clearTimeout(Number(place.dataset.timer));
  place.dataset.timer = String(setTimeout(() => {
    place.textContent = '';
  }, 8000));
}

/** @param {any} app */
export function hookControls(app) {
  byId('heal').addEventListener('click', () => perform(app, { deed: 'heal' }));
  byId('restart').addEventListener('click', () => perform(app, { deed: 'restart' }));
  byId('duty').addEventListener('change', (/** @type {any} */ event) => perform(app, { deed: 'watchdog', on: event.target.checked }));
  for (const radio of document.querySelectorAll('input[name=on-hang]')) {
    radio.addEventListener('change', (/** @type {any} */ event) => perform(app, { deed: 'on_hang', value: event.target.value }));
  }
  byId('sec').addEventListener('submit', (/** @type {Event} */ event) => {
    event.preventDefault();
    perform(app, { deed: 'watchdog_usec', value: Number(byId('watchdog-sec').value) });
  });
  byId('find-fault').addEventListener('input', () => showControls(app));
}

/** A button that waits is still found, and says why. @param {any} button @param {string | null | undefined} why */
export function waits(button, why) {
  button.disabled = Boolean(why);
  button.title = why ?? '';
}

/** Why nothing can be done at the moment. @param {any} app */
export function busyWith(app) {
  if (!app.store.controls) return 'The server has not said yet what it can do.';
  if (!app.connected) return 'The connection to the server is lost.';
  if (app.outdated) return 'The server was started anew. This page is loaded again.';
  return app.asking ? 'The last request is being carried out.' : app.store.controls.busy;
}

/** @param {any} app */
export function showControls(app) {
  const { controls } = app.store;
  if (!controls) return;
  const busy = busyWith(app);
  setText(byId('busy'), busy ?? '');
  byId('busy').hidden = !busy;
  const { active = [], faults = [] } = controls;
  waits(byId('heal'), busy ?? (active.length ? null : 'No fault is in effect.'));
  waits(byId('restart'), busy);
  setText(byId('active'), active.length ? `In effect: ${active.join(', ')}` : 'No fault is in effect.');
  const duty = byId('duty');
  duty.checked = controls.watchdog;
  waits(duty, busy);
  setText(byId('duty-says'), controls.watchdog ? 'on duty' : 'off duty: a hang is nobody’s business');
  for (const radio of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll('input[name=on-hang]'))) {
    radio.checked = radio.value === controls.on_hang;
    waits(radio, busy);
  }
  const sec = byId('watchdog-sec');
  if (controls.watchdog_usec && document.activeElement !== sec) sec.value = controls.watchdog_usec;
  waits(sec, busy);
  waits(byId('sec').querySelector('button'), busy);
  const { bounds } = app.timeline.track.then(app.now()).settings ?? {};
  setText(byId('bounds'), bounds ? `A hang is detected within ${bounds.detect_usec ? human(bounds.detect_usec) : 'no time that anything bounds'}${
    bounds.recovery_usec ? `, and the service is back within ${human(bounds.recovery_usec)}` : ''}.` : '');

  const wanted = byId('find-fault').value.trim().toLowerCase();
  const shown = faults.filter((/** @type {any} */ fault) => `${fault.name} ${fault.says}`.toLowerCase().includes(wanted));
  byId('find-fault').parentElement.hidden = faults.length < 9;
  for (const where of ['inside', 'outside']) {
    const here = shown.filter((/** @type {any} */ fault) => fault.where === where);
    byId(`faults-${where}`).hidden = !here.length;
    const list = byId(`faults-${where}`).querySelector('ul');
    reconcile(list, here, (fault) => JSON.stringify([fault.name, fault.says, fault.expect, fault.why_not]), (fault) => h('li', null,
      h('div', null, h('strong', null, fault.name), h('button', { type: 'button', 'aria-label': `Inject ${fault.name}`, click: () => perform(app, { deed: 'inject', fault: fault.name }) }, 'Inject')),
      h('p', null, fault.says),
      h('p', { class: 'expect' }, fault.why_not ?? fault.expect)));
    [...list.children].forEach((item, index) => {
      const fault = here[index];
      item.classList.toggle('in-effect', active.includes(fault.name));
      waits(item.querySelector('button'), busy ?? (fault.available ? null : fault.why_not ?? 'Not here.'));
    });
  }
  byId('no-fault').hidden = shown.length > 0;
}
