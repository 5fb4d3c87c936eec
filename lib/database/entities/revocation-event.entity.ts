import { Bytes, Choice, Flag, Position, Table, Text } from './table.js';

const KINDS = ['token', 'session', 'subject', 'key', 'issuer', 'history'] as const;

/**
 * Every kind of event in the log. A `history` event marks a jump after a lost history; it revokes nothing.
 */
export type LogEventKind = (typeof KINDS)[number];

/**
 * What an event revokes: one token, one session, the tokens of an account (`subject`), those of a signing
 * key, or those of an issuer.
 *
 * @publicApi
 */
export type RevocationKind = Exclude<LogEventKind, 'history'>;

const KNOWN_KINDS: ReadonlySet<string> = new Set(KINDS);

/**
 * Whether this release knows this kind of event. With an unknown event in the log it decides about no token,
 * because that event might revoke it, and it does not number such an event (H5).
 */
export function isKnownKind(kind: string): boolean {
  return KNOWN_KINDS.has(kind);
}

/**
 * The reasons of a revocation. A client with a correctly signed token gets the reason in the 401.
 *
 * They are a closed set, so that an application can show the right message, and no free text can leak to a
 * client.
 *
 * @publicApi
 */
export const REVOCATION_REASONS = [
  'unspecified',
  'logout',
  'logged_out_elsewhere',
  'newer_login',
  'password_changed',
  'claims_changed',
  'refresh_reused',
  'account_locked',
  'account_disabled',
  'account_removed',
  'key_compromised',
  'everyone',
  'administrator',
] as const;

/** One of {@link REVOCATION_REASONS}. @publicApi */
export type RevocationReason = (typeof REVOCATION_REASONS)[number];

/**
 * The newest format of the log that this release understands (H5). With a newer format, an instance answers
 * 503. A new log has format 1, and only the command `nestjs-logout raise-format` raises it.
 */
export const SUPPORTED_FORMAT = 2;

/**
 * From this format on, the revocation of a key applies to its issuer only. Below it a second event without an
 * issuer is written, which applies to every issuer, because instances of release 0.1 know only that form.
 */
export const KEYS_OF_ISSUERS = 2;

/**
 * One event of the revocation log: what was revoked, why, when and by whom. Read-only; an application reads
 * it through its own DataSource.
 *
 * It is deleted once every token that it revokes has expired. It contains no user id, because `key` is a
 * digest. `actor` is stored as the application passed it.
 *
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { InjectRepository } from '@nestjs/typeorm';
 * import { RevocationEvent } from 'nestjs-logout';
 * import type { Repository } from 'typeorm';
 *
 * @Injectable()
 * export class AuditService {
 *   constructor(@InjectRepository(RevocationEvent) private readonly events: Repository<RevocationEvent>) {}
 *
 *   latest(): Promise<RevocationEvent[]> {
 *     return this.events.find({ order: { position: 'DESC' }, take: 20 });
 *   }
 * }
 * ```
 * @publicApi
 */
@Table('auth_event', ['SELECT', 'INSERT', 'DELETE'])
export class RevocationEvent {
  /** Its place in commit order, from 1 and without gaps. */
  @Position({ key: true, as: 'event_position' }) readonly position!: number;
  /** Its identity: random and time-ordered, 32 lower-case hexadecimal digits. */
  @Bytes({ name: 'event_id' }) readonly id!: string;
  /** What it revokes. `history` revokes nothing: it starts a new epoch of the log, as after a failover. */
  @Text() readonly kind!: LogEventKind;
  /**
   * A digest of the kind, the issuer and the id of what it revokes, 32 lower-case hexadecimal digits (W2).
   */
  @Bytes({ name: 'event_key' }) readonly key!: string;
  /** `subject` and `issuer`: tokens with a `gen` below this position are revoked. */
  @Position({ nullable: true }) readonly killsBelow!: number | null;
  /** `subject`: the key of the one session that it spares. `key`: the key of the issuer. */
  @Bytes({ name: 'except_key', nullable: true }) readonly except!: string | null;
  /** `subject`: whether it revokes access tokens only, and the sessions continue. */
  @Flag() readonly accessOnly!: boolean;
  /** Tokens without `gen` that were issued up to this time are revoked (epoch ms). */
  @Position({ nullable: true }) readonly issuedBefore!: number | null;
  /** Until when it is kept (epoch ms); `null`: forever. */
  @Position({ name: 'keep_until', nullable: true }) readonly until!: number | null;
  /** Why. An unknown reason, from a newer release, reads as `unspecified`. */
  @Choice(REVOCATION_REASONS) readonly reason!: RevocationReason;
  /** Who revoked it, as the application passed it. */
  @Text({ nullable: true }) readonly actor!: string | null;
  /** When it was written (epoch ms, the database's time). */
  @Position() readonly createdAt!: number;
}

/** An event as the feed and the writers pass it to the index. `position` is `null` while it is pending. */
export interface LogEvent extends Omit<RevocationEvent, 'position' | 'actor' | 'createdAt'> {
  readonly position: number | null;
}

/** An event that was written in the caller's transaction and has no position yet (C1). */
@Table('auth_pending', ['SELECT', 'INSERT', 'DELETE'])
export class PendingEvent {
  @Bytes({ name: 'event_id', key: true }) readonly id!: string;
  @Text() readonly kind!: LogEventKind;
  @Bytes({ name: 'event_key' }) readonly key!: string;
  @Bytes({ name: 'except_key', nullable: true }) readonly except!: string | null;
  @Flag() readonly accessOnly!: boolean;
  /** `token`: the token's own expiry (epoch ms). */
  @Position({ nullable: true }) readonly expiresAt!: number | null;
  /**
   * The least time (ms) to keep the event, even if the head has registered less: the longest token lifetime
   * of its writer, or the longest session of a foreign issuer. `null`: forever.
   */
  @Position({ nullable: true }) readonly life!: number | null;
  /** Milliseconds added to the database's time for `issuedBefore`. */
  @Position() readonly skew!: number;
  @Choice(REVOCATION_REASONS) readonly reason!: RevocationReason;
  @Text({ nullable: true }) readonly actor!: string | null;
}
