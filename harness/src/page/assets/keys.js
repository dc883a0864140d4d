/**
 * The keyboard: what each key does, told apart from doing it.
 */

/** @type {{keys: string[], deed: string, says: string}[]} */
export const KEYS = [
  { keys: [' '], deed: 'play', says: 'Pause, or go on from here' },
  { keys: ['l', 'End'], deed: 'live', says: 'To the right end' },
  { keys: ['w', '+', '='], deed: 'in', says: 'Zoom in' },
  { keys: ['s', '-'], deed: 'out', says: 'Zoom out' },
  { keys: ['a'], deed: 'left', says: 'Earlier' },
  { keys: ['d'], deed: 'right', says: 'Later' },
  { keys: ['ArrowLeft'], deed: 'back', says: 'Cursor earlier, on the timeline' },
  { keys: ['ArrowRight'], deed: 'forth', says: 'Cursor later, on the timeline' },
  { keys: ['.'], deed: 'next', says: 'Next event' },
  { keys: [','], deed: 'previous', says: 'Previous event' },
  { keys: ['f'], deed: 'fit', says: 'Fit everything' },
  { keys: ['?'], deed: 'help', says: 'These keys' },
];

/** Those that have a meaning of their own in a control, and therefore only act on the timeline itself. */
const OF_CONTROLS = [' ', 'End', 'ArrowLeft', 'ArrowRight'];

/**
 * What a key asks for; null when it is not for the timeline.
 * @param {{key: string, ctrlKey?: boolean, metaKey?: boolean, altKey?: boolean}} event
 * @param {'page' | 'timeline' | 'control' | 'text'} where the focus is
 */
export function deedOf(event, where) {
  if (event.ctrlKey || event.metaKey || event.altKey || where === 'text') return null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (where !== 'timeline' && OF_CONTROLS.includes(key) && !(key === ' ' && where === 'page')) return null;
  return KEYS.find((entry) => entry.keys.includes(key))?.deed ?? null;
}

/** A key as it is printed on the keyboard. @param {string} key */
export function keyName(key) {
  return { ' ': 'Space', ArrowLeft: '←', ArrowRight: '→' }[key] ?? (key.length === 1 ? key.toUpperCase() : key);
}
