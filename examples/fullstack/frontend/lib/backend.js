const TIMEOUT_MS = 3000;
const ATTEMPTS = 3;
const PAUSE_MS = 50;

/** The backend could not be reached, or answered with something that is not its API. */
export class BackendUnavailable extends Error {}

/** The backend refused what it was sent; the message is for the user. */
export class Refused extends Error {}

export const listEntries = () => call('/entries');
export const backendRelease = () => call('/release');
export const addEntry = (text) =>
  call('/entries', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ text }),
  });

async function call(path, options = {}) {
  const response = await send(new URL(path, backendUrl()), options);
  const body = await response.json().catch(() => {
    throw new BackendUnavailable(`the backend answered ${response.status} without JSON`);
  });
  if (response.ok) return body;
  if (response.status < 500) throw new Refused(reasonOf(body));
  throw new BackendUnavailable(`the backend answered ${response.status}`);
}

function backendUrl() {
  return process.env.BACKEND_URL || 'http://127.0.0.1:8000';
}

/**
 * A task that is being replaced may close a kept connection just as we write to it. Reading again is harmless; anything
 * else is sent again only if it cannot have arrived.
 */
async function send(url, options) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await fetch(url, { ...options, cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) });
    } catch (error) {
      const harmless = (options.method ?? 'GET') === 'GET' || error.cause?.code === 'ECONNREFUSED';
      if (attempt === ATTEMPTS || !harmless) {
        throw new BackendUnavailable('the backend does not answer', { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * attempt));
    }
  }
}

/** FastAPI's validation errors are a list; the errors we raise ourselves are a sentence. */
function reasonOf({ detail }) {
  if (Array.isArray(detail)) return detail.map((item) => item.msg).join('; ');
  return detail ?? 'the backend refused the request';
}
