import { REVOCATION_REASONS, type RevocationReason } from './revocation-event.entity.js';
import { Bytes, Choice, Digest, Flag, Position, Sealed, Table, Text } from './table.js';

/**
 * How the client got its refresh token. A refresh must use the same way: a token that was set as an HttpOnly
 * cookie is refused in a body, where only a thief would send it.
 *
 * @publicApi
 */
export type Delivery = 'body' | 'cookie';

/**
 * One session: a login on one device. Join it with your own users by `subject`. Read-only; use
 * `LogoutService` to end sessions. All times are epoch milliseconds by the database's clock.
 *
 * A session can be refreshed while `endedAt` is `null`, `idleUntil` is in the future, and `killsBelow` of its
 * account ({@link AuthAccount}) is not above its `gen`. `SessionService.list()` checks all of this.
 *
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { InjectRepository } from '@nestjs/typeorm';
 * import { AuthSession } from 'nestjs-logout';
 * import { IsNull, MoreThan, type Repository } from 'typeorm';
 *
 * @Injectable()
 * export class DevicesService {
 *   constructor(@InjectRepository(AuthSession) private readonly sessions: Repository<AuthSession>) {}
 *
 *   devicesOf(subject: string): Promise<AuthSession[]> {
 *     return this.sessions.findBy({ subject, endedAt: IsNull(), idleUntil: MoreThan(Date.now()) });
 *   }
 * }
 * ```
 * @publicApi
 */
@Table('auth_session', ['SELECT', 'INSERT', 'UPDATE', 'DELETE'])
export class AuthSession {
  /** A digest of the issuer and `sid`, 32 lower-case hexadecimal digits: the key of its revocation event. */
  @Bytes({ name: 'session_key', key: true }) readonly key!: string;
  /** The `sid` claim of its access tokens. */
  @Text() readonly sid!: string;
  /** The key of its {@link AuthAccount}. */
  @Bytes() readonly subjectKey!: string;
  /** The `sub` claim of its access tokens. */
  @Text() readonly subject!: string;
  /** The log's position before the credentials of the login were checked (G1, G6). */
  @Position() readonly gen!: number;
  /** The `kid` of the key that signed its last access token. */
  @Text() readonly kid!: string;
  /** The kind of client that the login named, such as `web`. */
  @Text({ nullable: true }) readonly client!: string | null;
  /** The device that the login named. */
  @Text({ nullable: true }) readonly device!: string | null;
  /** The network from which it logged in or last refreshed: `/24` of IPv4, `/48` of IPv6. */
  @Text({ nullable: true }) readonly ip!: string | null;
  /** The `User-Agent` of the login or of the last refresh. */
  @Text({ nullable: true }) readonly userAgent!: string | null;
  /** How its refresh tokens are sent. */
  @Choice(['body', 'cookie']) readonly delivery!: Delivery;
  /** When it started. */
  @Position() readonly createdAt!: number;
  /** When it logged in or last refreshed. */
  @Position() readonly lastSeenAt!: number;
  /** When it expires without a refresh. Each refresh moves it, up to `expiresAt`. */
  @Position() readonly idleUntil!: number;
  /** When it expires, however often it is refreshed. */
  @Position() readonly expiresAt!: number;
  /** When it was ended by a logout or by the reuse of a refresh token; `null`: it was not. */
  @Position({ nullable: true }) readonly endedAt!: number | null;
  /** Why it was ended. */
  @Choice(REVOCATION_REASONS, { nullable: true }) readonly endReason!: RevocationReason | null;

  /** The grant that the login named. `logoutGrant()` ends all sessions of a grant. */
  @Text({ nullable: true, since: '0.2' }) readonly grantId!: string | null;
  @Text({ nullable: true, since: '0.2', reserved: true }) readonly tenant?: never;
  /** When its user last authenticated: at the login or in `confirm()`. `null` (release 0.1): `createdAt`. */
  @Position({ nullable: true, since: '0.2' }) readonly authTime!: number | null;
  /** The thumbprint of the key to which its tokens are bound (option `binding.dpop`); `null` for none. */
  @Text({ nullable: true, since: '0.2' }) readonly jkt!: string | null;
  /** A keyed digest of the address or network to which it is bound (option `binding.ip`); `null` for none. */
  @Bytes({ nullable: true, since: '0.2' }) readonly network!: string | null;
  /** Whether its cookies stay when the browser closes. NULL, as release 0.1 writes it, reads as `true`. */
  @Flag({ name: 'persistent', nullable: true, since: '0.2', absent: true })
  readonly isPersistent!: boolean;
  /** When the proven retries so far no longer count against their limit; `null` before the first. */
  @Position({ nullable: true, since: '0.2' }) readonly retriesUntil!: number | null;
  /** The lifetime of its access tokens (ms); `null`: that of the options at each refresh. */
  @Position({ nullable: true, since: '0.2' }) readonly accessTtl!: number | null;
  @Position({ nullable: true, since: '0.2', reserved: true }) readonly refreshTtl?: never;
  /** After how long without a refresh it expires (ms); `null`: that of the options at each refresh. */
  @Position({ nullable: true, since: '0.2' }) readonly idleTtl!: number | null;
}

/** One refresh token of a session. Only its digest is stored. */
@Table('auth_refresh', ['SELECT', 'INSERT', 'UPDATE', 'DELETE'])
export class RefreshToken {
  /** SHA-256 of the token. */
  @Digest({ name: 'token_digest', key: true }) readonly digest!: string;
  @Bytes() readonly sessionKey!: string;
  /** Its place among the tokens of its session, from 1. */
  @Position() readonly number!: number;
  @Position() readonly expiresAt!: number;
  @Position({ nullable: true }) readonly replacedAt!: number | null;
  /** Until when a retry gets the same successor; `null`: no retry, or its time is over. */
  @Position({ nullable: true }) readonly graceUntil!: number | null;
  /** How many retries without an idempotency key got the successor. */
  @Position() readonly retries!: number;
  /** The successor, encrypted with a key that only the holder of this token can derive. */
  @Sealed({ nullable: true }) readonly sealedSuccessor!: string | null;
  /** The digest of the idempotency key with which it was used; `null` without one. */
  @Digest({ nullable: true, since: '0.2' }) readonly retryDigest!: string | null;
  /**
   * The successor, encrypted with a key that needs the idempotency key too. It is kept as long as the row.
   */
  @Sealed({ nullable: true, since: '0.2' }) readonly retrySealed!: string | null;
}
