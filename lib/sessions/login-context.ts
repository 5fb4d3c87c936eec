import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { type Duration, parseDuration } from '../options/duration.js';
import type { LogPosition } from '../revocation/log/log-positions.js';
import type { Delivery } from '../database/session-rows.js';

const SECOND = 1_000;

/** Who logged in, as the application's own check found it. */
export interface AuthenticatedSubject {
  /** The account: a string, number or bigint, kept as a string of 1 to 255 characters. */
  readonly subject: string | number | bigint;
  /**
   * What the token shall say beside the registered claims; readable by everybody who holds it. For
   * refreshed tokens the option `claims` is asked.
   */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/**
 * What is known of a client; all of it is shown to the account's owner in the list of sessions, and
 * erased with the account.
 *
 * @publicApi
 */
export interface ClientContext {
  /** The sort of client, such as `'web'` or `'tv'`: limits and refreshes are bound to it. */
  readonly client?: string | undefined;
  /** What its owner calls the device; at most 255 characters are kept. */
  readonly device?: string | undefined;
  /** As the framework's trusted-proxy setting gives it; it is stored without its last part. */
  readonly ip?: string | undefined;
  /** At most 255 characters are kept. */
  readonly userAgent?: string | undefined;
  /** How the refresh token is handed over; it is taken back in no other way. Default `'body'`. */
  readonly delivery?: Delivery | undefined;
  /** The request in which it happens, for the audit. */
  readonly requestId?: string | undefined;
}

/**
 * What a refresh may say beside its token.
 *
 * @example
 * ```ts
 * await this.sessions.refresh(token, { client: 'phone', idempotencyKey: request.get('Idempotency-Key') });
 * ```
 * @publicApi
 */
export interface RefreshContext extends ClientContext {
  /**
   * Proves that a retry is a retry: 22 to 255 visible ASCII characters, random, such as a UUID. The
   * client makes one for each refresh token, stores both before it first sends the token, and sends
   * the same key with each retry. Then an answer that was lost can be had again for as long as the
   * token itself is good; without a key only within `refreshGrace`, and later the session ends.
   *
   * A digest is kept, never the key.
   */
  readonly idempotencyKey?: string | undefined;
}

/** What a login may say beside who it is. @publicApi */
export interface LoginContext extends ClientContext {
  /** The session that this browser held before: it ends, so that no id is fixed in advance. */
  readonly replaces?: string | undefined;
  /**
   * `false` for a browser that must not remember the login: its cookies end when the browser closes,
   * also those of a refresh. The session on the server has its usual lifetime; give `sessionTtl` as
   * well to shorten it. No effect where tokens are not in cookies.
   *
   * @default true
   */
  readonly persistent?: boolean | undefined;
  /**
   * How long this login can last, seconds or `'12h'`, from 1 s; more than the option `sessionTtl` has
   * no effect.
   *
   * @default the option
   */
  readonly sessionTtl?: Duration | undefined;
}

/** For a subject whose password was checked before `login` could read the position. */
export interface LoginSince extends LoginContext {
  /** `await sessions.position()`, taken before the password was compared. */
  readonly since: LogPosition;
}

/** What a login or a refresh gives. */
export interface LoginResult {
  readonly accessToken: string;
  /** Seconds until the access token expires. */
  readonly expiresIn: number;
  /** When to renew (epoch ms): a little before the expiry. */
  readonly refreshAt: number;
  /** The login's id: the claim `sid`, and what `logoutSession` takes. Not a secret. */
  readonly sessionId: string;
  /** Opaque; send it to `refresh` once. Absent where `refreshTokenTtl` is 0. */
  readonly refreshToken?: string;
  /** Seconds until the refresh token expires. */
  readonly refreshExpiresIn?: number;
  /** `false` where its cookies shall go when the browser closes; absent otherwise. */
  readonly persistent?: false;
}

/**
 * How long a login can last (ms): what it asks for, and not longer than any.
 *
 * @throws AuthWiringError for what is no duration, and for less than a second.
 */
export function sessionLifeOf(given: Duration | undefined, longest: number): number {
  if (given === undefined) return longest;
  const life = parseDuration(given);
  if (typeof life === 'number' && life >= SECOND) return Math.min(life, longest);
  throw new AuthWiringError(
    'login(…, { sessionTtl }) needs a duration of at least one second.',
    typeof life === 'number' ? "Write seconds, such as 43200, or '12h'." : life.fix,
  );
}
