/**
 * Elements, made of text alone: whatever a journal, a unit or a scenario says, it is never markup.
 */

/** @param {string} id @returns {any} */
export function byId(id) {
  return document.getElementById(id);
}

/** @param {Element} element @param {Record<string, any> | null} properties @param {any[]} children */
function furnish(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value == null || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children.flat(2)) if (child != null && child !== false) element.append(child);
  return element;
}

/**
 * An HTML element. A property that is a function is a listener of that event.
 * @param {string} tag
 * @param {Record<string, any> | null} [properties]
 * @param {...any} children
 * @returns {any}
 */
export function h(tag, properties, ...children) {
  return furnish(document.createElement(tag), properties ?? null, children);
}

/**
 * An SVG element.
 * @param {string} tag
 * @param {Record<string, any> | null} [properties]
 * @param {...any} children
 * @returns {any}
 */
export function svg(tag, properties, ...children) {
  return furnish(document.createElementNS('http://www.w3.org/2000/svg', tag), properties ?? null, children);
}

/** Sets a text only where it differs, so that nothing is announced or laid out anew. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes the children of `parent` those of `items`, keeping elements (and with them the focus) by key.
 * @template T
 * @param {Element} parent
 * @param {T[]} items
 * @param {(item: T) => string} key what makes an element worth keeping: a change of it makes a new one
 * @param {(item: T) => Element} make
 */
export function reconcile(parent, items, key, make) {
  const old = new Map([...parent.children].map((child) => [/** @type {any} */ (child).dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let child = old.get(name);
    if (child) old.delete(name);
    else {
      child = make(item);
      /** @type {any} */ (child).dataset.key = name;
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const child of old.values()) child.remove();
}

const SHAPES = {
  healthy: 'M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13z',
  hung: 'M8 1 15.5 14.5H.5zM7.1 5.6l.3 4.6h1.2l.3-4.6zM8 11.1a.95.95 0 1 0 0 1.9a.95.95 0 0 0 0-1.9z',
  killed: 'M3.6 1.5 8 5.9l4.4-4.4 2.1 2.1L10.1 8l4.4 4.4-2.1 2.1L8 10.1l-4.4 4.4-2.1-2.1L5.9 8 1.5 3.6z',
  restarting: 'M8 1.5a6.5 6.5 0 0 1 5.6 3.2L15.5 3v5h-5l1.9-1.9A4.4 4.4 0 1 0 12.2 9.5l2 .8A6.5 6.5 0 1 1 8 1.5z',
  starting: 'M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13zM8 3.4a4.6 4.6 0 0 0 0 9.2z',
  failed: 'M2 2h12v12H2z',
  stopped: 'M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13zM8 3.6a4.4 4.4 0 1 0 0 8.8a4.4 4.4 0 0 0 0-8.8z',
  unknown: 'M4.2 5.4C4.4 2.9 6 1.5 8.1 1.5c2.2 0 3.8 1.4 3.8 3.4 0 3-3 2.8-3 5H7c0-3 2.8-3 2.8-4.9 0-.9-.7-1.5-1.8-1.5s-1.8.7-1.9 1.9zM8 11.6a1.45 1.45 0 1 0 0 2.9a1.45 1.45 0 0 0 0-2.9z',
  pass: 'M13.2 2.6 15 4.4 6.3 13.6 1 8.6l1.7-1.8 3.5 3.3z',
  skip: 'M1.5 6.8h9V3.5L15 8l-4.5 4.5V9.2h-9z',
};

/** The sign of a state or a verdict. @param {string} word */
export function sign(word) {
  const path = { fail: 'killed', unsound: 'unknown' }[word] ?? word;
  const shape = SHAPES[/** @type {keyof typeof SHAPES} */ (path)] ?? SHAPES.unknown;
  return svg('svg', { class: `sign ${word}`, viewBox: '0 0 16 16', 'aria-hidden': 'true' }, svg('path', { d: shape, 'fill-rule': 'evenodd' }));
}
