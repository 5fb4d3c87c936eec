import { Inject, Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuthException } from '../errors/auth.exception.js';
import type { AuthEventType } from '../events/auth-event.js';
import { AuthEvents } from '../events/auth-events.service.js';
import type { Duration } from '../options/duration.js';
import { LONGEST_LOCK, lockTimeOf } from '../options/lock-time.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { EventKeys } from '../revocation/event-key.js';
import { subjectOf } from '../revocation/identifier.js';
import type { RevocationReason } from '../revocation/revocation-event.js';
import { RevocationLog } from '../revocation/revocation-log.service.js';
import type { RevocationRequest } from '../revocation/revocation-request.js';
import { SessionStore } from '../sessions/session-store.service.js';

/** Sessions that are erased in one transaction. */
const BATCH = 500;

/** An account: its `sub`. */
export type Subject = string | number | bigint;

/** Who did it, for the audit; never told to a client. */
export interface AccountActOptions {
  readonly actor?: string | undefined;
  readonly requestId?: string | undefined;
}

/** {@link AccountService.passwordChanged} and {@link AccountService.claimsChanged}. */
export interface AccountChangeOptions extends AccountActOptions {
  /**
   * Part of this transaction: it counts from its commit. The manager of the application's own
   * DataSource, inside `dataSource.transaction(…)`.
   */
  readonly manager?: EntityManager | undefined;
}

type SubjectRequest = Extract<RevocationRequest, { kind: 'subject' }>;

/**
 * What happens to accounts. Each act ends every token that is older, at once and everywhere, and none
 * that comes after; what was ended stays dead after an unlock and when a name is used again.
 *
 * @throws AuthUnavailableException `storage_unavailable` when it could not be stored: try again.
 * @throws AuthException 400 `invalid_subject`.
 *
 * @example
 * ```ts
 * await this.users.setPassword(id, password);
 * await this.accounts.passwordChanged(id, { keepSession: token.sid });
 * ```
 * @publicApi
 */
@Injectable()
export class AccountService {
  private readonly logger = new Logger('AccountService');

  constructor(
    private readonly log: RevocationLog,
    private readonly store: SessionStore,
    private readonly keys: EventKeys,
    private readonly events: AuthEvents,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * Ends all sessions and refuses logins until a time; the lock ends by itself. Tokens from before it
   * stay dead after it.
   *
   * @param until - A time by the database's clock, or for how long: seconds or `'15m'`.
   */
  async lock(
    subject: Subject,
    until: Date | Duration,
    options: AccountActOptions = {},
  ): Promise<void> {
    const now = this.log.databaseNow();
    const lockFor = until instanceof Date ? until.getTime() - now : lockTimeOf(until);
    if (!(lockFor > 0 && lockFor <= LONGEST_LOCK)) {
      throw badRequest('until is not between now and 366 days from now');
    }
    this.warnOfShortLock(lockFor);
    const change = until instanceof Date ? { lockUntil: until.getTime() } : { lockFor };
    await this.act('account_locked', subject, { account: change }, options);
  }

  /** Lets an account log in again before its lock has ended. */
  async unlock(subject: Subject, options: AccountActOptions = {}): Promise<void> {
    await this.allow('account_unlocked', subject, 'locked_until', options);
  }

  /** Ends all sessions and refuses logins until {@link enable}. */
  async disable(subject: Subject, options: AccountActOptions = {}): Promise<void> {
    await this.act('account_disabled', subject, { account: { disable: true } }, options);
  }

  /** Lets a disabled account log in again. */
  async enable(subject: Subject, options: AccountActOptions = {}): Promise<void> {
    await this.allow('account_enabled', subject, 'disabled_at', options);
  }

  /**
   * Ends all sessions of an account that is deleted, and erases what is stored about its logins; only
   * hashes are left, until the last token is dead. A new account of the same name can log in.
   */
  async remove(subject: Subject, { actor, requestId }: AccountActOptions = {}): Promise<void> {
    const position = await this.act('account_removed', subject, {}, { actor, requestId });
    const key = this.keys.hex('subject', this.options.issuer, subjectOf(subject));
    // Below its position: a new account of this name may have logged in already.
    for (let found = BATCH; found === BATCH;) {
      const rows = await this.store.read(({ statements }) =>
        statements.findOfSubject(key, position, BATCH),
      );
      found = rows.length;
      const sessions = rows.map((row) => row['session_key'] ?? '').toSorted();
      if (found > 0) await this.store.write((of) => of.erase(sessions));
    }
  }

  /** Ends all sessions but the one in which the password was changed, if it is named. */
  async passwordChanged(
    subject: Subject,
    options: AccountChangeOptions & { readonly keepSession?: string | undefined } = {},
  ): Promise<void> {
    const { keepSession } = options;
    await this.act('password_changed', subject, { exceptSession: keepSession }, options);
  }

  /**
   * Ends all access tokens and no session: the next refresh carries the new permissions, which the
   * option `claims` gives.
   */
  async claimsChanged(subject: Subject, options: AccountChangeOptions = {}): Promise<void> {
    await this.act('claims_changed', subject, { accessOnly: true }, options);
  }

  /** @returns the event's position; 0 while it is pending. */
  private async act(
    reason: RevocationReason & AuthEventType,
    given: Subject,
    what: Pick<SubjectRequest, 'account' | 'exceptSession' | 'accessOnly'>,
    { actor, requestId, manager }: AccountChangeOptions,
  ): Promise<number> {
    const subject = subjectOf(given);
    const { issuer } = this.options;
    const request: SubjectRequest = { kind: 'subject', issuer, subject, reason, actor, ...what };
    let position = 0;
    if (manager === undefined) {
      const { events } = await this.log.append([request]);
      position = events[0]?.position ?? 0;
    } else await this.log.appendWith(manager, [request]);
    this.events.tell({ type: reason, subject, scope: 'subject', reason, actor, requestId });
    return position;
  }

  private async allow(
    type: 'account_unlocked' | 'account_enabled',
    given: Subject,
    what: 'locked_until' | 'disabled_at',
    { actor, requestId }: AccountActOptions,
  ): Promise<void> {
    const subject = subjectOf(given);
    const key = this.keys.hex('subject', this.options.issuer, subject);
    // A lock whose COMMIT was not answered must not come back after this.
    await this.log.settleUnknown();
    await this.store.write((of) => of.allow(key, what));
    this.events.tell({ type, subject, scope: 'subject', actor, requestId });
  }

  /** Its tokens are dead all the same; but who built on the lock alone would be wrong. */
  private warnOfShortLock(lockFor: number): void {
    const { accessTokenTtl } = this.options;
    if (lockFor >= accessTokenTtl) return;
    const short = Math.ceil((accessTokenTtl - lockFor) / 1000);
    this.logger.warn(
      `An account is locked for ${short} s less than an access token lives. Tokens from before the ` +
        'lock stay dead all the same; other services that only verify signatures would accept them.',
    );
  }
}

function badRequest(what: string): AuthException {
  return new AuthException(400, 'invalid_request', `Nothing was locked: ${what}.`);
}
