import { Bytes, Choice, Flag, Position, Table, Text } from './table.js';

const KINDS = ['token', 'session', 'subject', 'key', 'issuer', 'history'] as const;

/** Every kind of the log; `history` marks the jump after a lost history and ends nothing. */
export type LogEventKind = (typeof KINDS)[number];

/** What an event ends: one token, one login, an account's tokens, a key's tokens, or an issuer's. */
export type RevocationKind = Exclude<LogEventKind, 'history'>;

const KNOWN_KINDS: ReadonlySet<string> = new Set(KINDS);

/**
 * Whether this release knows what an event of this kind ends. It judges no token beside one that it does
 * not know, and gives it no position (H5).
 */
export function isKnownKind(kind: string): boolean {
  return KNOWN_KINDS.has(kind);
}

/**
 * The stable reasons that the holder of a rightly signed token may be told.
 *
 * They are a closed set, so that an application can say the right sentence and a free text can
 * never leak to a client.
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

/** One of {@link REVOCATION_REASONS}. */
export type RevocationReason = (typeof REVOCATION_REASONS)[number];

/**
 * The newest format of the log that this release understands (H5). An instance closes on a newer one.
 * New logs begin with format 1, and only `nestjs-logout raise-format` raises it.
 */
export const SUPPORTED_FORMAT = 2;

/**
 * From this format on a revoked key counts for its issuer only. Below it a second event, without the
 * issuer, is written for instances of older releases, which look for no other; it counts for every
 * issuer.
 */
export const KEYS_OF_ISSUERS = 2;

/**
 * One event of the revocation log, as an application reads it through its own DataSource: what was
 * revoked, why, when and by whom. Read-only.
 *
 * It is deleted once every token that it affects has expired. It names no user: `key` is a digest.
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
  /** What it ends; `history` ends nothing, it begins a new history of the log after a failover. */
  @Text() readonly kind!: LogEventKind;
  /** A digest of the kind, the issuer and the id of what it ends, 32 lower-case hexadecimal digits. */
  @Bytes({ name: 'event_key' }) readonly key!: string;
  /** `subject` and `issuer`: tokens with a `gen` below this position are revoked. */
  @Position({ nullable: true }) readonly killsBelow!: number | null;
  /** `subject`: the key of the one session that it spares. `key`: that of the issuer whose key it is. */
  @Bytes({ name: 'except_key', nullable: true }) readonly except!: string | null;
  /** `subject`: whether it ends access tokens and no session. */
  @Flag() readonly accessOnly!: boolean;
  /** Tokens without `gen` that were issued up to this time are revoked (epoch ms). */
  @Position({ nullable: true }) readonly issuedBefore!: number | null;
  /** Until when it is kept (epoch ms); `null` = for ever. */
  @Position({ name: 'keep_until', nullable: true }) readonly until!: number | null;
  /** Why; a reason of a newer release reads as `unspecified`. */
  @Choice(REVOCATION_REASONS) readonly reason!: RevocationReason;
  /** Who did it, as the application said. */
  @Text({ nullable: true }) readonly actor!: string | null;
  /** When it was written (epoch ms, the database's time). */
  @Position() readonly createdAt!: number;
}

/** An event as the feed and the writers hand it to the index; `position` is `null` while it is pending. */
export interface LogEvent extends Omit<RevocationEvent, 'position' | 'actor' | 'createdAt'> {
  readonly position: number | null;
}

/** An event that was written in a caller's transaction and has no position yet. */
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
   * For how long (ms) its writer must have it remembered, whatever the head has registered: at least its
   * own longest token lifetime, or a foreign issuer's longest session. `null` where the event never ends.
   */
  @Position({ nullable: true }) readonly life!: number | null;
  /** Milliseconds added to the database's time for `issuedBefore`. */
  @Position() readonly skew!: number;
  @Choice(REVOCATION_REASONS) readonly reason!: RevocationReason;
  @Text({ nullable: true }) readonly actor!: string | null;
}
