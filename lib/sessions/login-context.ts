import type { DpopRequest } from '../binding/client-request.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { refusal } from '../errors/auth.exception.js';
import type { Delivery } from '../database/entities/auth-session.entity.js';
import {
  ANY_CLIENT,
  type Lifetimes,
  shorterLifetimes,
  usualLifetimes,
} from '../options/client-lifetimes.js';
import { type Duration, parseDuration } from '../options/duration.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { LogPosition } from '../revocation/log/log-positions.service.js';

/** The account that logged in. */
export interface AuthenticatedSubject {
  /**
   * The id of the account: a string, number or bigint. It becomes the claim `sub`, a string of 1 to
   * 255 characters.
   */
  readonly subject: string | number | bigint;
  /**
   * Further claims of the first access token. Anyone who has the token can read them. Refreshed tokens get
   * their claims from the option `claims`.
   */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** Checks the credentials. It returns `null` for a wrong password. */
export type Authenticate = () =>
  Promise<AuthenticatedSubject | null | undefined> | AuthenticatedSubject | null;

/**
 * The client of a login or refresh. The owner of the account sees it in the list of sessions. It is deleted
 * with the account.
 *
 * @publicApi
 */
export interface ClientContext {
  /**
   * The kind of client, such as `'web'` or `'tv'`. Limits and lifetimes depend on it. If a refresh
   * passes it, it must be the same. At most 255 characters are kept.
   */
  readonly client?: string | undefined;
  /** A name of the device that the owner recognises. At most 255 characters are kept. */
  readonly device?: string | undefined;
  /**
   * The IP address of the client, as your framework determines it behind proxies (Express `trust
   * proxy`). It is stored without its last part. The option `binding.ip` needs it.
   */
  readonly ip?: string | undefined;
  /** At most 255 characters are kept. */
  readonly userAgent?: string | undefined;
  /**
   * How the refresh token is delivered. It is accepted only in the same way: a token from a cookie
   * is refused in a body.
   *
   * @default 'body'
   */
  readonly delivery?: Delivery | undefined;
  /** The id of the request, for the audit. */
  readonly requestId?: string | undefined;
  /**
   * The HTTP request. Its header `DPoP` binds the tokens to the key of the client (option
   * `binding.dpop`, RFC 9449). Without it the tokens are bearer tokens.
   */
  readonly dpop?: DpopRequest | undefined;
}

/**
 * The options of a refresh.
 *
 * @example
 * ```ts
 * await this.sessions.refresh(token, { client: 'phone', idempotencyKey: request.get('Idempotency-Key') });
 * ```
 * @publicApi
 */
export interface RefreshContext extends ClientContext {
  /**
   * Proves that a retry comes from the same client: 22 to 255 random visible ASCII characters, such
   * as a UUID. The client makes one for each refresh token, stores both before it first sends the
   * token, and sends the same key with each retry. If the response was lost, a retry then gets the
   * same result for as long as the old token is valid. Without a key a retry works only within
   * `refreshGrace`, and a later one revokes the session.
   *
   * Only a digest of the key is stored.
   */
  readonly idempotencyKey?: string | undefined;
}

/** The options of a login. @publicApi */
export interface LoginContext extends ClientContext {
  /**
   * The id of the OAuth grant, agent or MCP approval for which the user logs in, 1 to 255 characters.
   * {@link LogoutService.logoutGrant} ends all sessions with this grant, of all accounts. Take it from your
   * own records, never from the client: a client that chooses its grant could escape `logoutGrant`. The session
   * keeps its grant when it is refreshed.
   *
   * @throws AuthException 400 `invalid_request` for an empty or longer string.
   */
  readonly grant?: string | undefined;
  /**
   * The id of the session that this browser had before. It is revoked, so that an attacker cannot
   * keep using a session from before the login (session fixation).
   */
  readonly replaces?: string | undefined;
  /**
   * `false` for a browser that must not remember the login: its cookies expire when the browser closes, also
   * those of a refresh. The session on the server has its usual lifetime; set `sessionTtl` as well to shorten
   * it. It has no effect if tokens are not in cookies.
   *
   * @default true
   */
  readonly persistent?: boolean | undefined;
  /**
   * How long this session can last: whole seconds or `'12h'`, from 1 s. It can only shorten the lifetime from
   * the options `sessionTtl` and `lifetimes`.
   *
   * @default the option
   */
  readonly sessionTtl?: Duration | undefined;
  /**
   * This session expires after this time without a refresh. It can only shorten the lifetime from the options.
   *
   * @default the option
   */
  readonly sessionIdleTtl?: Duration | undefined;
  /**
   * The lifetime of its refresh tokens. It can only shorten the lifetime from the options. With 0 the login
   * gets no refresh token.
   *
   * @default the option
   */
  readonly refreshTokenTtl?: Duration | undefined;
  /**
   * The lifetime of its access tokens, also of refreshed ones. It can only shorten the lifetime from the
   * options.
   *
   * @default the option
   */
  readonly accessTokenTtl?: Duration | undefined;
}

/** The options of a login whose password was checked before `login()` was called. */
export interface LoginSince extends LoginContext {
  /**
   * The result of `await sessions.position()`, called before the password was compared. It is valid
   * for one hour.
   */
  readonly since: LogPosition;
}

/** The result of a login or a refresh. */
export interface LoginResult {
  readonly accessToken: string;
  /** Seconds until the access token expires. */
  readonly expiresIn: number;
  /** When to refresh (epoch ms): a little before the expiry. */
  readonly refreshAt: number;
  /** The id of the session: the claim `sid`, for `logoutSession`. It is not a secret. */
  readonly sessionId: string;
  /**
   * The refresh token: an opaque string to send to `refresh` once. Absent if `refreshTokenTtl` is
   * 0.
   */
  readonly refreshToken?: string;
  /** Seconds until the refresh token expires. */
  readonly refreshExpiresIn?: number;
  /** Seconds until the session expires if it is not refreshed. Warn the user before. */
  readonly idleExpiresIn: number;
  /** Seconds until the session expires, however often it is refreshed. */
  readonly sessionExpiresIn: number;
  /** `'DPoP'` if the tokens are bound to the client's key; absent for bearer tokens. */
  readonly tokenType?: 'DPoP';
  /** `false` if its cookies expire when the browser closes; absent otherwise. */
  readonly persistent?: false;
}

/** Visible ASCII. 22 random characters of base64url have 128 bits. */
const SHAPE = /^[\x21-\x7e]{22,255}$/;

/**
 * Checks an idempotency key, by which a client proves that a request is its own retry.
 *
 * @throws AuthException 400 `idempotency_key_invalid`. It is refused before anything is consumed.
 * Otherwise the client would learn that its key is invalid only when it needs it for a retry.
 */
export function idempotencyKeyOf(given: unknown): string | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'string' && SHAPE.test(given)) return given;
  throw refusal('idempotency_key_invalid');
}

const SECOND = 1_000;

/** The lifetimes that one login may shorten. */
export type AskedLifetimes = Pick<
  LoginContext,
  'sessionTtl' | 'sessionIdleTtl' | 'refreshTokenTtl' | 'accessTokenTtl'
>;

/**
 * The lifetimes of one login (ms). `null`: nothing is stored, and each refresh uses the options.
 */
export interface LoginLifetimes extends Lifetimes {
  readonly accessTtl: number | null;
  readonly storedIdleTtl: number | null;
}

/**
 * The lifetimes of a login: those of its client, or those that it asks for where they are shorter.
 *
 * @throws AuthWiringError for a value that is not a duration in whole seconds, and for less than a
 * second.
 */
export function lifetimesOf(
  client: string | null,
  asked: AskedLifetimes,
  options: ResolvedAuthOptions,
): LoginLifetimes {
  const usual = usualLifetimes(options);
  const { lifetimes } = options;
  const most = lifetimes?.get(client ?? ANY_CLIENT) ?? lifetimes?.get(ANY_CLIENT) ?? usual;
  const idleTtl = Math.min(
    durationOf('sessionIdleTtl', asked.sessionIdleTtl),
    durationOf('refreshTokenTtl', asked.refreshTokenTtl, 0),
  );
  const own = shorterLifetimes(most, {
    sessionTtl: durationOf('sessionTtl', asked.sessionTtl),
    accessTokenTtl: durationOf('accessTokenTtl', asked.accessTokenTtl),
    idleTtl,
  });
  return {
    ...own,
    accessTtl: own.accessTokenTtl === usual.accessTokenTtl ? null : own.accessTokenTtl,
    storedIdleTtl: own.idleTtl === usual.idleTtl ? null : own.idleTtl,
  };
}

function durationOf(
  name: keyof AskedLifetimes,
  given: Duration | undefined,
  least = SECOND,
): number {
  if (given === undefined) return Infinity;
  const life = parseDuration(given);
  if (typeof life === 'number' && life >= least && life % SECOND === 0) return life;
  throw new AuthWiringError(
    `login(…, { ${name} }) needs a duration of whole seconds, at least ${least / SECOND}.`,
    typeof life === 'number' ? "Write seconds, such as 43200, or '12h'." : life.fix,
  );
}

/**
 * The longest lifetimes of a login whose client name comes from the request, and may be forged.
 * `undefined` if the option `lifetimes` is not set.
 */
export function mostOfAnyClient(
  lifetimes: ResolvedAuthOptions['lifetimes'],
): AskedLifetimes | undefined {
  const any = lifetimes?.get(ANY_CLIENT);
  return (
    any && {
      sessionTtl: any.sessionTtl / SECOND,
      refreshTokenTtl: any.idleTtl / SECOND,
      accessTokenTtl: any.accessTokenTtl / SECOND,
    }
  );
}
