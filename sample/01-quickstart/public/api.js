const ATTEMPTS = 3;
/** In seconds. If the wait is longer, the page says so instead of waiting. */
const LONGEST_WAIT = 5;

/** An answer that is not a success. */
export class Refused extends Error {
  /** @param {{ status: number, code?: string, reason?: string }} answer */
  constructor(answer) {
    super(answer.code ?? `status ${answer.status}`);
    this.answer = answer;
  }
}

/**
 * @typedef {object} Tokens
 * @property {string} access
 * @property {string} refresh
 * @property {string} id - Of the session.
 * @property {number} renewAt - By this machine's clock (epoch ms).
 * @property {number} turn - How often they have been refreshed: times give no order.
 */

/** The tokens of a login. */
export async function logIn(username, password, device) {
  const body = { username, password, client: 'web', device };
  return tokensOf(await call('POST', '/auth/login', { body }), 1);
}

/** The next tokens. */
export async function refresh({ refresh, turn }) {
  return tokensOf(
    await call('POST', '/auth/refresh', { body: { refresh_token: refresh } }),
    turn + 1,
  );
}

/** Either token is enough for it, also an access token that has expired. */
export async function endOnServer({ access, refresh }) {
  try {
    await call('POST', '/auth/logout', { token: access, body: { refresh_token: refresh } });
  } catch (error) {
    // The server does not know them any more, so they are useless.
    if (!(error instanceof Refused) || error.answer.status !== 401) throw error;
  }
}

/** The server's times by the server's clock: this one may be wrong. */
function tokensOf({ body, date }, turn) {
  const life = Date.parse(body.refresh_at) - date;
  return {
    access: body.access_token,
    refresh: body.refresh_token,
    id: body.session_id,
    renewAt: Date.now() + (Number.isFinite(life) ? life : body.expires_in * 900),
    turn,
  };
}

/**
 * Sends again what the server could not do at the moment, when it says after how long: such an answer
 * has changed nothing, so the same token can be sent again.
 *
 * @throws Refused for every answer that is not a success, and for no answer.
 */
export async function call(method, path, { token, body } = {}) {
  for (let attempt = 1; ; attempt++) {
    const { response, content } = await send(method, path, token, body);
    if (response.ok) {
      const date = Date.parse(response.headers.get('date'));
      return { body: content, date, next: nextOf(response) };
    }
    const { status, headers } = response;
    const wait = Number(headers.get('retry-after'));
    if (status !== 503 || !(wait > 0 && wait <= LONGEST_WAIT) || attempt === ATTEMPTS) {
      throw new Refused({ status, code: content.code, reason: content.reason });
    }
    await new Promise((resolve) => setTimeout(resolve, wait * 1_000));
  }
}

/** The address of the next page (RFC 8288), for `call`; `undefined` on the last page. */
function nextOf({ headers, url }) {
  const target = /<([^>]*)>; rel="next"/.exec(headers.get('link') ?? '')?.[1];
  if (target === undefined) return undefined;
  const { pathname, search } = new URL(target, url);
  return pathname + search;
}

async function send(method, path, token, body) {
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  try {
    const response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store',
      credentials: 'omit',
    });
    const isJson = response.headers.get('content-type')?.startsWith('application/json');
    return { response, content: isJson ? await response.json() : {} };
  } catch {
    throw new Refused({ status: 0, code: 'unreachable' });
  }
}
