import type { DpopRequest } from '../binding/client-request.js';
import { refusal } from '../errors/auth.exception.js';
import type { Delivery } from '../database/entities/auth-session.entity.js';
import type { Duration } from '../options/duration.js';
import type { LogPosition } from '../revocation/log/log-positions.service.js';

/** The account that logged in, as the application's own check found it. */
export interface AuthenticatedSubject {
  /** The account: a string, number or bigint, kept as a string of 1 to 255 characters. */
  readonly subject: string | number | bigint;
  /**
   * Further claims of the token; anyone who holds it can read them. Refreshed tokens get theirs from the
   * option `claims`.
   */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** Checks the credentials; `null` is a wrong password. */
export type Authenticate = () =>
  Promise<AuthenticatedSubject | null | undefined> | AuthenticatedSubject | null;

/**
 * What is known about a client. The account's owner sees it in the list of sessions, and it is erased
 * with the account.
 *
 * @publicApi
 */
export interface ClientContext {
  /** The kind of client, such as `'web'` or `'tv'`: limits, lifetimes and refreshes are bound to it. */
  readonly client?: string | undefined;
  /** What its owner calls the device; at most 255 characters are kept. */
  readonly device?: string | undefined;
  /**
   * The address by the framework's trusted-proxy setting; it is stored without its last part. The option
   * `binding.ip` needs it.
   */
  readonly ip?: string | undefined;
  /** At most 255 characters are kept. */
  readonly userAgent?: string | undefined;
  /** How the refresh token is delivered; it is accepted in no other way. Default `'body'`. */
  readonly delivery?: Delivery | undefined;
  /** The request in which it happens, for the audit. */
  readonly requestId?: string | undefined;
  /**
   * The HTTP request, whose header `DPoP` binds the tokens to the client's key (option `binding.dpop`).
   * Without it they are bearer tokens.
   */
  readonly dpop?: DpopRequest | undefined;
}

/**
 * What a refresh can have beside its token.
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
   * the same key with each retry. Then a lost answer can be repeated for as long as the token itself is
   * valid. Without a key that works only within `refreshGrace`; a later retry ends the session.
   *
   * A digest is kept, never the key.
   */
  readonly idempotencyKey?: string | undefined;
}

/** What a login can have beside its subject. @publicApi */
export interface LoginContext extends ClientContext {
  /**
   * What the login was granted for: the id of an OAuth grant, an agent or an MCP approval, 1 to 255
   * characters. Several logins may have one grant, of several accounts too, and
   * {@link LogoutService.logoutGrant} ends them all. Take it from your own records, never from the client:
   * one that chooses its grant is not ended with it. Its refreshes keep it.
   *
   * @throws AuthException 400 `invalid_request` for an empty or longer text.
   */
  readonly grant?: string | undefined;
  /** The session that this browser held before: it ends, which prevents session fixation. */
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
   * How long this login can last: whole seconds or `'12h'`, from 1 s. It can only shorten what the options
   * `sessionTtl` and `lifetimes` say.
   *
   * @default the option
   */
  readonly sessionTtl?: Duration | undefined;
  /**
   * After how long without a refresh this login expires, as {@link sessionTtl}; it can only shorten.
   *
   * @default the option
   */
  readonly sessionIdleTtl?: Duration | undefined;
  /**
   * The lifetime of its refresh tokens; it can only shorten. 0: this login gets none.
   *
   * @default the option
   */
  readonly refreshTokenTtl?: Duration | undefined;
  /**
   * The lifetime of its access tokens, also of refreshed ones; it can only shorten.
   *
   * @default the option
   */
  readonly accessTokenTtl?: Duration | undefined;
}

/** For a subject whose password was checked before `login` could read the position. */
export interface LoginSince extends LoginContext {
  /** `await sessions.position()`, taken before the password was compared. */
  readonly since: LogPosition;
}

/** The result of a login or a refresh. */
export interface LoginResult {
  readonly accessToken: string;
  /** Seconds until the access token expires. */
  readonly expiresIn: number;
  /** When to refresh (epoch ms): a little before the expiry. */
  readonly refreshAt: number;
  /** The login's id: the claim `sid`, and what `logoutSession` takes. Not a secret. */
  readonly sessionId: string;
  /** Opaque; send it to `refresh` once. Absent where `refreshTokenTtl` is 0. */
  readonly refreshToken?: string;
  /** Seconds until the refresh token expires. */
  readonly refreshExpiresIn?: number;
  /** Seconds until the session expires if it is not refreshed: warn the user before. */
  readonly idleExpiresIn: number;
  /** Seconds until the session expires however often it is refreshed. */
  readonly sessionExpiresIn: number;
  /** `'DPoP'` where the tokens are bound to the client's key; absent for bearer tokens. */
  readonly tokenType?: 'DPoP';
  /** `false` where its cookies expire when the browser closes; absent otherwise. */
  readonly persistent?: false;
}

/** Visible ASCII; 22 random characters of base64url hold 128 bits. */
const SHAPE = /^[\x21-\x7e]{22,255}$/;

/**
 * Checks the key with which a client proves that its retry is a retry.
 *
 * @throws AuthException 400 `idempotency_key_invalid`. It is refused before anything is consumed: a
 * client that believes that its key counts must not find out when it needs it.
 */
export function idempotencyKeyOf(given: unknown): string | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'string' && SHAPE.test(given)) return given;
  throw refusal('idempotency_key_invalid');
}
