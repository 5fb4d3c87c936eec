/** What an event ends: one token, one login, an account's tokens, a key's tokens, or an issuer's. */
export type RevocationKind = 'token' | 'session' | 'subject' | 'key' | 'issuer';

/** Every kind of the log; `history` marks the jump after a lost history and ends nothing. */
export type LogEventKind = RevocationKind | 'history';

const KNOWN_KINDS: ReadonlySet<string> = new Set([
  'token',
  'session',
  'subject',
  'key',
  'issuer',
  'history',
] satisfies LogEventKind[]);

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

/** One row of the log, or one pending row, as the feed and the writers hand it to the index. */
export interface LogEvent {
  /** The place in commit order; `null` while the event is pending. */
  readonly position: number | null;
  /** Random and time-ordered, 32 lower-case hex digits; names the event for ever. */
  readonly id: string;
  readonly kind: LogEventKind;
  /** 128 bits as 32 lower-case hex digits, see `event-key.ts`. */
  readonly key: string;
  /**
   * `subject` and `issuer`: tokens with a `gen` below this position are dead. `history`: the last
   * position before the jump, or `null` where an older release jumped.
   */
  readonly killsBelow: number | null;
  /**
   * `subject`: the key (kind `session`) of the one session that is spared. `key`: the key (kind `issuer`)
   * of the issuer whose key it is, or `null` for every issuer.
   */
  readonly except: string | null;
  /** `subject`: ends access tokens but no session. */
  readonly accessOnly: boolean;
  /** `subject` and `issuer`: tokens without `gen` whose `iat` is not after this are dead (epoch ms). */
  readonly issuedBefore: number | null;
  /** Until when the event must be remembered (epoch ms, database time); `null` = for ever. */
  readonly until: number | null;
  readonly reason: RevocationReason;
}

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
