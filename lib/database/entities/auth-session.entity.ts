import { REVOCATION_REASONS, type RevocationReason } from './revocation-event.entity.js';
import { Bytes, Choice, Digest, Flag, Position, Sealed, Table, Text } from './table.js';

/** How a refresh token was handed over, and the only way in which it is taken back. */
export type Delivery = 'body' | 'cookie';

/**
 * One login, on one device: join it with your own users by `subject`. Read-only; `LogoutService` ends
 * sessions. All times are epoch milliseconds by the database's clock.
 *
 * A row is a session that can be refreshed while `endedAt` is `null`, `idleUntil` is in the future, and
 * its account ({@link AuthAccount}) has no `killsBelow` above its `gen`. `SessionService.list()` applies all of that.
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
  /** The log's position before its authority was checked (G6). */
  @Position() readonly gen!: number;
  /** The key that signed its last access token. */
  @Text() readonly kid!: string;
  /** What the application said of its client when it logged in. */
  @Text({ nullable: true }) readonly client!: string | null;
  @Text({ nullable: true }) readonly device!: string | null;
  /** From where it logged in or last refreshed. */
  @Text({ nullable: true }) readonly ip!: string | null;
  @Text({ nullable: true }) readonly userAgent!: string | null;
  @Choice(['body', 'cookie']) readonly delivery!: Delivery;
  @Position() readonly createdAt!: number;
  /** When it logged in or last refreshed. */
  @Position() readonly lastSeenAt!: number;
  /** Until when it can be refreshed, unless that happens before. */
  @Position() readonly idleUntil!: number;
  /** Its absolute end, which no refresh moves. */
  @Position() readonly expiresAt!: number;
  /** When it was ended by a logout, or by the reuse of a refresh token. */
  @Position({ nullable: true }) readonly endedAt!: number | null;
  @Choice(REVOCATION_REASONS, { nullable: true }) readonly endReason!: RevocationReason | null;

  /** What the login was granted for, as the application said; `logoutGrant` ends all of a grant. */
  @Text({ nullable: true, since: '0.2' }) readonly grantId!: string | null;
  @Text({ nullable: true, since: '0.2', reserved: true }) readonly tenant?: never;
  /** When its user last authenticated: at the login, or in a `confirm()`. `null`, as release 0.1 writes it: `createdAt`. */
  @Position({ nullable: true, since: '0.2' }) readonly authTime!: number | null;
  /** The thumbprint of the key that its tokens are bound to (option `binding.dpop`); `null` for none. */
  @Text({ nullable: true, since: '0.2' }) readonly jkt!: string | null;
  /** A keyed digest of the address or network that it is bound to (option `binding.ip`); `null` for none. */
  @Bytes({ nullable: true, since: '0.2' }) readonly network!: string | null;
  /** Whether its cookies outlive the browser; NULL, as release 0.1 writes it, is yes. */
  @Flag({ name: 'persistent', nullable: true, since: '0.2', absent: true })
  readonly isPersistent!: boolean;
  /** When all proven retries until now count no longer; `null` before the first. */
  @Position({ nullable: true, since: '0.2' }) readonly retriesUntil!: number | null;
  /** How long its access tokens are valid; `null`: as the options say at each refresh. */
  @Position({ nullable: true, since: '0.2' }) readonly accessTtl!: number | null;
  @Position({ nullable: true, since: '0.2', reserved: true }) readonly refreshTtl?: never;
  /** How long it goes on without a refresh; `null`: as the options say at each refresh. */
  @Position({ nullable: true, since: '0.2' }) readonly idleTtl!: number | null;
}

/** One refresh token of a session; the token itself is not in the database. */
@Table('auth_refresh', ['SELECT', 'INSERT', 'UPDATE', 'DELETE'])
export class RefreshToken {
  /** SHA-256 of the token. */
  @Digest({ name: 'token_digest', key: true }) readonly digest!: string;
  @Bytes() readonly sessionKey!: string;
  /** Its place among the tokens of its session, from 1. */
  @Position() readonly number!: number;
  @Position() readonly expiresAt!: number;
  @Position({ nullable: true }) readonly replacedAt!: number | null;
  /** `null` where there is no grace, or where it is over and the successor was forgotten. */
  @Position({ nullable: true }) readonly graceUntil!: number | null;
  /** How often a caller without a proof was given the successor again. */
  @Position() readonly retries!: number;
  /** The successor, under a key that only the holder of this token can derive. */
  @Sealed({ nullable: true }) readonly sealedSuccessor!: string | null;
  /** The digest of the idempotency key with which it was used; `null` without one. */
  @Digest({ nullable: true, since: '0.2' }) readonly retryDigest!: string | null;
  /** The successor again, under a key that needs the idempotency key as well; kept with the row. */
  @Sealed({ nullable: true, since: '0.2' }) readonly retrySealed!: string | null;
}
