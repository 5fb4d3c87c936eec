import type { EntityManager } from 'typeorm';
import type { RevocationKind, RevocationReason } from '../database/revocation-event.js';
import type { Duration } from '../options/duration.js';

/** What every verb of {@link LogoutService} takes. */
export interface LogoutOptions {
  /**
   * `'everywhere'`: resolve only when no instance can accept the token any more; that takes up to
   * `maxStaleness`, or the widest failure policy of any instance.
   *
   * @throws AuthWiringError where that is unbounded (`'open'`, `observe`): before anything is written if
   * this instance said so; else the logout counts, and the error says that.
   */
  readonly wait?: 'everywhere' | undefined;
  /**
   * The EntityManager of the caller's transaction: the logout counts from the caller's commit, and a
   * rollback takes it back.
   */
  readonly manager?: EntityManager | undefined;
  /** Why; told to the holder of the token. Each verb has a default of its own. */
  readonly reason?: RevocationReason | undefined;
  /** Who did it, for the audit; at most 255 characters. */
  readonly actor?: string | undefined;
  /** The request in which it happens, for the audit. */
  readonly requestId?: string | undefined;
}

/** What {@link LogoutService.logout} takes beside {@link LogoutOptions}. */
export interface TokenLogoutOptions extends LogoutOptions {
  /**
   * Beside claims that have neither `jti` nor `sid`: the text of the token, as it was verified.
   * `@CurrentToken()` needs none.
   */
  readonly token?: string | undefined;
}

/** What the verbs about an account take beside {@link LogoutOptions}. */
export interface SubjectLogoutOptions extends LogoutOptions {
  /** The issuer of the account's tokens. Default: our own. */
  readonly issuer?: string | undefined;
}

/** What {@link LogoutService.logoutAll} takes beside {@link SubjectLogoutOptions}. */
export interface LogoutAllOptions extends SubjectLogoutOptions {
  /**
   * Also refuses logins for so long, seconds or `'15m'`: what somebody presses whose telephone was
   * stolen. Not together with `manager`.
   */
  readonly lockFor?: Duration | undefined;
}

/** What {@link LogoutService.revokeKey} takes beside {@link LogoutOptions}. */
export interface RevokeKeyOptions extends LogoutOptions {
  /** The issuer whose key it is. Default: our own. */
  readonly issuer?: string | undefined;
  /** Also ends the sessions whose last token the key signed; else they go on under the next key. */
  readonly sessions?: boolean | undefined;
}

/** What revoking a key would hit. */
export interface KeyRevocationPreview {
  readonly kid: string;
  /** Sessions that go on and whose last access token this key signed. */
  readonly sessions: number;
}

/** What a logout did, from when, and where: proof for an audit, and the bound to count on. */
export interface LogoutReceipt {
  /** The events that were written; `position` is `null` while the caller's transaction is open. */
  readonly events: readonly {
    readonly kind: RevocationKind;
    readonly position: number | null;
    readonly id: string;
  }[];
  /**
   * Seconds after which no instance accepts the token any more, whatever the hosts' clocks say: the
   * widest failure policy of any instance. Infinity (`null` in JSON) while one has said `'open'`, or
   * only observes.
   */
  readonly effectiveEverywhereWithin: number;
  /** Until when the event is remembered; `null` for a key (for ever) and with `{ manager }`. */
  readonly keptUntil: Date | null;
  /**
   * Resolves when this instance refuses; at once, except with `{ manager }`: then with the next proof
   * after the caller's commit. At once also in a process that only writes (`follow: false`), where it
   * means nothing more than that: no token is accepted there, before or after.
   */
  applied(): Promise<void>;
}
