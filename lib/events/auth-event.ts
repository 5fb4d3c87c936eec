/** What happened. The set grows; a listener ignores what it does not know. */
export type AuthEventType =
  | 'login'
  | 'login_refused'
  | 'refresh'
  | 'refresh_refused'
  | 'refresh_reused'
  | 'logout'
  | 'account_locked'
  | 'account_unlocked'
  | 'account_disabled'
  | 'account_enabled'
  | 'account_removed'
  | 'password_changed'
  | 'claims_changed'
  | 'key_revoked'
  | 'revocation_state_unknown'
  | 'accepted_stale'
  | 'staleness_override'
  | 'observed'
  | 'history_lost'
  | 'clocks_differ';

/** How much an act ended. */
export type AuthEventScope = 'token' | 'session' | 'subject' | 'key' | 'issuer';

/**
 * One thing that happened to somebody's tokens, for an audit: no token, secret, cookie or name of a
 * person is in it. Ids are hashed; the same id always gives the same hash.
 *
 * @publicApi
 */
export interface AuthEvent {
  readonly type: AuthEventType;
  /** By this host's clock. */
  readonly at: Date;
  /** The account, hashed: compare it with `AuthEvents.subjectHash(subject)`. */
  readonly subject?: string | undefined;
  /** The session, hashed. */
  readonly session?: string | undefined;
  readonly scope?: AuthEventScope | undefined;
  /**
   * A revocation's reason, or the code of a refusal. `accepted_stale`: the policy by which it was
   * accepted, `open`, `stale_for` or `override`. `observed`: the code with which it would have been
   * refused. `staleness_override`: `begun`, `ended` or `expired`.
   * `clocks_differ`: the clock that stepped, `host` or `database`; `unknown` at a boot.
   */
  readonly reason?: string | undefined;
  /** Who did it, as the caller said. */
  readonly actor?: string | undefined;
  /** The request in which it happened, as the caller said. */
  readonly requestId?: string | undefined;
  /** `refresh_reused`: what the reuse looks like. */
  readonly reuse?: 'recent' | 'orphaned' | 'stale' | 'after_end' | undefined;
  /** `history_lost`: how many live revocations the database no longer has and this instance knows. */
  readonly lost?: number | undefined;
}
