import { isIPv4, isIPv6 } from 'node:net';
import { refusal } from '../errors/auth.exception.js';
import type { RefreshRow, SessionRow } from '../database/session.statements.js';
import type { Delivery } from '../database/entities/auth-session.entity.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { type Duration, parseDuration } from '../options/duration.js';
import type { LogPosition } from '../revocation/log/log-positions.service.js';
import type { SignedAccessToken } from './access-token.signer.js';
import type { RefreshToken } from './refresh-token.js';

const SECOND = 1_000;

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

/**
 * What is known about a client. The account's owner sees it in the list of sessions, and it is erased
 * with the account.
 *
 * @publicApi
 */
export interface ClientContext {
  /** The kind of client, such as `'web'` or `'tv'`: limits and refreshes are bound to it. */
  readonly client?: string | undefined;
  /** What its owner calls the device; at most 255 characters are kept. */
  readonly device?: string | undefined;
  /** The address by the framework's trusted-proxy setting; it is stored without its last part. */
  readonly ip?: string | undefined;
  /** At most 255 characters are kept. */
  readonly userAgent?: string | undefined;
  /** How the refresh token is delivered; it is accepted in no other way. Default `'body'`. */
  readonly delivery?: Delivery | undefined;
  /** The request in which it happens, for the audit. */
  readonly requestId?: string | undefined;
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
  /** `false` where its cookies expire when the browser closes; absent otherwise. */
  readonly persistent?: false;
}

/** Makes the answer of a login or a refresh; without a refresh token where there are none. */
export function loginResultOf(
  { text, expiresIn, refreshAt }: SignedAccessToken,
  { sid, isPersistent }: SessionRow,
  refresh: { readonly token: RefreshToken; readonly row: RefreshRow } | null,
  { now }: LogPosition,
): LoginResult {
  return {
    accessToken: text,
    expiresIn,
    refreshAt,
    sessionId: sid,
    ...(isPersistent ? {} : { persistent: false as const }),
    ...(refresh === null
      ? {}
      : {
          refreshToken: refresh.token,
          refreshExpiresIn: Math.max(0, Math.floor((refresh.row.expiresAt - now) / 1000)),
        }),
  };
}

/**
 * How long a login can last (ms): what it asks for, but at most `longest`.
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

const LONGEST = 255;

/** Text from a client, as it can be stored: cut, well-formed, without NUL. */
export function cut(text: string | undefined): string | null {
  if (text === undefined) return null;
  // Cut by characters, not in the middle of one, and by what a column can hold.
  const clean = text.replaceAll('\0', '').toWellFormed();
  return clean === '' ? null : clean.slice(0, LONGEST).toWellFormed();
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * An address without the part that identifies one household: IPv4 without its last number, IPv6 by its
 * first 48 bits. Text that is not an address is not kept.
 */
export function truncateAddress(ip: string | undefined): string | null {
  return ip === undefined ? null : networkOf(ip, 3, 3);
}

/**
 * The network of an address, or `null` for text that is not an address.
 *
 * @param numbers - How many of the four of an IPv4 address count.
 * @param groups - How many of the eight of an IPv6 address count, 16 bits each.
 */
export function networkOf(ip: string, numbers: number, groups: number): string | null {
  const address = MAPPED.exec(ip)?.[1] ?? ip.split('%', 1)[0] ?? '';
  if (isIPv4(address)) {
    const parts = address.split('.');
    return parts.map((part, i) => (i < numbers ? part : '0')).join('.');
  }
  if (!isIPv6(address)) return null;
  const [head = [], tail = []] = address.split('::', 2).map((half) => half.split(':'));
  const given = head[0] === '' ? [] : head;
  const zeros = address.includes('::') ? Array<string>(8).fill('0') : [];
  const known = zeros.slice(given.length + tail.filter(Boolean).length);
  return `${[...given, ...known, ...tail]
    .slice(0, groups)
    .map((group) => Number.parseInt(group || '0', 16).toString(16))
    .join(':')}::`;
}

/** Visible ASCII; 22 random characters of base64url hold 128 bits. */
const SHAPE = /^[\x21-\x7e]{22,255}$/;

/**
 * The key with which a client proves that its retry is a retry.
 *
 * @throws AuthException 400 `idempotency_key_invalid`. It is refused before anything is consumed: a
 * client that believes that its key counts must not find out when it needs it.
 */
export function idempotencyKeyOf(given: unknown): string | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'string' && SHAPE.test(given)) return given;
  throw refusal('idempotency_key_invalid');
}
