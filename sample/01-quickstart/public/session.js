import { call, endOnServer, logIn, refresh, Refused } from './api.js';

const LOCK = 'nestjs-logout:renewal';
const CHANNEL = 'nestjs-logout:session';
/** Tabs that have newer tokens say so within this time (ms). */
const ANSWERS_WITHIN = 100;
/** After a refresh that failed for lack of a network or a server (ms). */
const TRY_AGAIN = 5_000;

const LOGGED_OUT = { status: 401, reason: 'logout', byHand: true };

/**
 * The one login that the tabs of this browser share: a new login in one tab changes all tabs that
 * are logged in. Its tokens are in memory only. Other tabs get them over a BroadcastChannel, which
 * only pages of this origin receive, and which stores nothing.
 */
export class Session {
  /** @type {import('./api.js').Tokens | null} */
  #tokens = null;
  #timer;
  #channel;
  #onBegin;
  #onEnd;

  /** @param {{ onBegin: () => void, onEnd: (answer: object) => void }} listeners */
  constructor({ onBegin, onEnd }) {
    this.#onBegin = onBegin;
    this.#onEnd = onEnd;
  }

  get isOpen() {
    return this.#tokens !== null;
  }

  /** Listens to the other tabs. */
  listen() {
    if (this.#channel !== undefined) return;
    this.#channel = new BroadcastChannel(CHANNEL);
    this.#channel.addEventListener('message', ({ data }) => this.#hear(data));
  }

  /** Forgets everything without ending it: the page is being left. */
  leave() {
    this.#drop();
    this.#channel?.close();
    this.#channel = undefined;
  }

  async login(username, password, device) {
    this.#begin(await logIn(username, password, device));
    this.#tell({ tokens: this.#tokens });
  }

  /**
   * Sends with the access token. One that is refused may have expired while the machine slept, or lost
   * its key or its permissions. If the login as a whole has ended, the refresh is refused as well.
   */
  async send(method, path) {
    const used = this.#tokens;
    try {
      return await call(method, path, { token: used?.access });
    } catch (error) {
      if (used === null || !isUnauthorized(error)) throw error;
      // Or another tab has refreshed it, or has logged in again, while the answer was in flight.
      if (this.#tokens === used) await this.renew();
    }
    return call(method, path, { token: this.#tokens?.access });
  }

  /** @throws Refused when the server could not end it: nothing is forgotten, so that it can be repeated. */
  async logout() {
    if (this.#tokens !== null) await endOnServer(this.#tokens);
    this.#end(LOGGED_OUT);
  }

  async logoutEverywhere() {
    await this.send('POST', '/auth/logout-all');
    this.#end(LOGGED_OUT);
  }

  /** One tab refreshes for all. A tab that waited for the lock finds the new tokens. */
  async renew() {
    const used = this.#tokens;
    if (used === null) return;
    await alone(async () => {
      // This tab may have been frozen: a token that was replaced long ago would end the session.
      this.#tell({ asked: used.id });
      await new Promise((resolve) => setTimeout(resolve, ANSWERS_WITHIN));
      if (this.#tokens !== used) return;
      try {
        const next = await refresh(used);
        // A logout wins over a refresh that is in flight.
        if (this.#tokens !== used) return;
        this.#begin(next);
        this.#tell({ tokens: next });
      } catch (error) {
        if (this.#tokens !== used) return;
        if (isUnauthorized(error)) this.#end(error.answer);
        else this.#renewIn(TRY_AGAIN);
        throw error;
      }
    });
  }

  #begin(tokens) {
    const isNew = this.#tokens?.id !== tokens.id;
    this.#tokens = tokens;
    this.#renewIn(tokens.renewAt - Date.now());
    if (isNew) this.#onBegin();
  }

  #end(answer) {
    if (this.#tokens === null) return;
    const { id } = this.#tokens;
    this.#drop();
    this.#tell({ ended: answer, id });
    this.#onEnd(answer);
  }

  #drop() {
    this.#tokens = null;
    clearTimeout(this.#timer);
  }

  #renewIn(delay) {
    clearTimeout(this.#timer);
    // A refresh that fails has set the next time, or ended the session, and reported it.
    this.#timer = setTimeout(() => this.renew().catch(() => {}), Math.max(delay, 1_000));
  }

  #tell(message) {
    this.#channel?.postMessage(message);
  }

  #hear({ asked, tokens, ended, id }) {
    const mine = this.#tokens;
    if (mine === null) return;
    if (asked === mine.id) this.#tell({ tokens: mine });
    if (tokens !== undefined) this.#adopt(tokens, mine);
    if (ended !== undefined) this.#follow(ended, id, mine);
  }

  #adopt(tokens, mine) {
    const isSame = tokens.id === mine.id;
    if (isSame && tokens.turn <= mine.turn) return;
    // Logged in again, in another tab: the login before it ends, as one in a cookie would.
    if (!isSame) endOnServer(mine).catch(() => {});
    this.#begin(tokens);
  }

  #follow(ended, id, mine) {
    const isSame = id === mine.id;
    // "Log out" is for all tabs. A session that ended otherwise concerns its own tab only.
    if (!isSame && !ended.byHand) return;
    this.#drop();
    if (!isSame) endOnServer(mine).catch(() => {});
    this.#onEnd(ended);
  }
}

function isUnauthorized(error) {
  return error instanceof Refused && error.answer.status === 401;
}

/** Between all tabs. If the browser has no locks (http on another host), the grace is enough. */
function alone(work) {
  return navigator.locks === undefined ? work() : navigator.locks.request(LOCK, work);
}
