/**
 * Where tellings come from: a server that goes on telling, or the page itself.
 */

/** Longer than any server keeps silent: every few seconds it says at least that it is alive. */
const SILENCE_MS = 20_000;

/**
 * The tellings in the page; null when it is a live one.
 * @param {Document} page
 * @returns {Promise<any[] | null>}
 */
export async function embedded(page) {
  const element = page.getElementById('tellings');
  if (!element) return null;
  const text = element.textContent ?? '';
  if (!(element.getAttribute('type') ?? '').endsWith('deflate')) return JSON.parse(text);
  const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return JSON.parse(await new Response(stream).text());
}

/**
 * Listens to the server for as long as the page is open; after each loss from where it was. It is whole again when all has come that
 * there is, and nothing had been forgotten meanwhile.
 * @param {{
 *   take: (telling: any) => void,
 *   stale: (restarted: boolean) => void,
 *   gap: (from: number, to: number) => void,
 *   lost: () => void,
 *   found: () => void,
 *   whole: () => void,
 * }} to
 */
export function listen(to) {
  let wait = 500;
  // As the server has it: an id, and of which run of the server.
  let cursor = '';
  /** @type {EventSource} */
  let events;
  /** @type {any} */
  let retry;
  /** @type {any} */
  let silence;

  const open = () => {
    clearTimeout(retry);
    events?.close();
    let missed = false;
    events = new EventSource(cursor ? `/events?after=${encodeURIComponent(cursor)}` : '/events');
    events.onopen = () => {
      wait = 500;
      heard();
      to.found();
    };
    events.addEventListener('telling', (event) => {
      heard();
      cursor = event.lastEventId || cursor;
      to.take(JSON.parse(event.data));
    });
    events.addEventListener('stale', (event) => {
      cursor = '';
      missed = true;
      to.stale(Boolean(JSON.parse(event.data).restarted));
    });
    events.addEventListener('live', () => {
      heard();
      if (!missed) to.whole();
    });
    events.addEventListener('alive', () => heard());
    events.addEventListener('gap', (event) => {
      const { from, to: until } = JSON.parse(event.data);
      to.gap(from, until);
    });
    // The browser's own retry is as late as it likes, and gives up after an answer that is none: so ours.
    events.onerror = lose;
  };
  const lose = () => {
    clearTimeout(silence);
    events.close();
    to.lost();
    clearTimeout(retry);
    retry = setTimeout(open, wait);
    wait = Math.min(wait * 2, 5000);
  };
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(lose, SILENCE_MS);
  };
  addEventListener('online', open);
  // A page that comes back from the back-forward cache has lost its connection.
  addEventListener('pageshow', (event) => {
    if (event.persisted) open();
  });
  open();
}

/**
 * Asks the server for a deed.
 * @param {Record<string, any>} deed
 * @returns {Promise<{ok: boolean, says: string}>}
 */
export async function ask(deed) {
  const token = document.querySelector('meta[name=token]')?.getAttribute('content') ?? '';
  try {
    const response = await fetch('/deed', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Hangproof-Token': token },
      body: JSON.stringify(deed),
    });
    if (response.status === 403) return { ok: false, says: 'This page is older than the server. Load it again.' };
    const answer = await response.json().catch(() => null);
    return answer ?? { ok: response.ok, says: response.ok ? 'Done.' : `The server answered ${response.status}.` };
  } catch {
    return { ok: false, says: 'The server cannot be reached.' };
  }
}
