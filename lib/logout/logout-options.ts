import type { EntityManager } from 'typeorm';
import type { RevocationReason } from '../revocation/revocation-event.js';

/** What every verb of {@link LogoutService} takes. */
export interface LogoutOptions {
  /**
   * `'everywhere'`: resolve only when no instance can accept the token any more; that takes up to
   * `maxStaleness`.
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
}

/** What the verbs about an account take beside {@link LogoutOptions}. */
export interface SubjectLogoutOptions extends LogoutOptions {
  /** The issuer of the account's tokens. Default: our own. */
  readonly issuer?: string | undefined;
}
