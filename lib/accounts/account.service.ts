import { Injectable, Logger } from '@nestjs/common';
import { type AuthException, refusal } from '../errors/auth.exception.js';
import type { RevocationReason } from '../database/entities/revocation-event.entity.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthEvents, type AuthEventType } from '../events/auth-events.service.js';
import { ActIssuer } from '../logout/act-issuer.service.js';
import type { SubjectLogoutOptions } from '../logout/logout-options.js';
import { type LogoutReceipt, RevocationWriter } from '../revocation/revocation-writer.service.js';
import { type Duration, lockTimeOf, LONGEST_LOCK } from '../options/duration.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { subjectOf } from '../platform/identifier.js';
import { EventKeys } from '../revocation/index/event-key.js';
import type { RevocationRequest } from '../revocation/log/event-draft.js';
import { LogPositions } from '../revocation/log/log-positions.service.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import { SessionStore } from '../sessions/session-store.service.js';
import { AccountEraser } from './account-eraser.service.js';

/**
 * The id of an account, which becomes the claim `sub`. Numbers and bigints are converted to
 * strings.
 */
export type Subject = string | number | bigint;

/**
 * The options of {@link AccountService.lock}, {@link AccountService.unlock},
 * {@link AccountService.disable} and {@link AccountService.enable}. They are those of
 * {@link LogoutService}, without `manager`.
 */
export type AccountActOptions = Omit<SubjectLogoutOptions, 'manager'>;

/**
 * The options of {@link AccountService.passwordChanged}, {@link AccountService.claimsChanged} and
 * {@link AccountService.remove}. With `manager` the call is part of your transaction and takes
 * effect when the transaction commits.
 */
export type AccountChangeOptions = SubjectLogoutOptions;

type SubjectRequest = Extract<RevocationRequest, { subject: string }>;

/**
 * Changes of accounts that revoke tokens. Each method revokes the tokens that were issued before
 * the call, on every instance, and none that is issued after it. These tokens stay revoked after an
 * unlock, and if the id of the account is used again. Each method returns a {@link LogoutReceipt}.
 * Specified in docs/protocol.md, "Generation".
 *
 * If the option `foreign` has an issuer, pass `issuer`, unless the account has a session or a row
 * of the application's own issuer.
 *
 * @throws AuthUnavailableException `storage_unavailable` if the change could not be stored, or if
 * the outcome is not known: call the method again.
 * @throws AuthException 400 `invalid_subject` for a string that cannot be a `sub`.
 * @throws AuthWiringError (a 500) for a subject that is undefined, null or an object; if `issuer`
 * is needed, or is not registered; for `{ manager, wait }`.
 *
 * @example
 * ```ts
 * await this.dataSource.transaction(async (manager) => {
 *   await manager.update(User, id, { passwordHash });
 *   await this.accounts.passwordChanged(id, { keepSession: token.sid, manager });
 * });
 * ```
 * @publicApi
 */
@Injectable()
export class AccountService {
  private readonly logger = new Logger('AccountService');

  constructor(
    private readonly writer: RevocationWriter,
    private readonly issuers: ActIssuer,
    private readonly eraser: AccountEraser,
    private readonly log: RevocationLog,
    private readonly positions: LogPositions,
    private readonly store: SessionStore,
    private readonly keys: EventKeys,
    private readonly events: AuthEvents,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * Revokes all sessions and refuses logins with `account_locked` until a time, when the lock
   * expires. Tokens from before the lock stay revoked after it. A shorter lock does not shorten a
   * longer one; call {@link unlock} first.
   *
   * @param until - A time by the database's clock, or a duration: seconds or `'15m'`. At most 366
   * days ahead.
   * @throws AuthWiringError with `manager`, and for a foreign `issuer`, whose logins this
   * application cannot refuse.
   */
  async lock(
    subject: Subject,
    until: Date | Duration,
    options: AccountActOptions = {},
  ): Promise<LogoutReceipt> {
    const now = this.positions.databaseNow();
    const lockFor = until instanceof Date ? until.getTime() - now : lockTimeOf(until);
    if (!(lockFor > 0 && lockFor <= LONGEST_LOCK)) {
      throw badRequest('until is not between now and 366 days from now');
    }
    this.warnOfShortLock(lockFor);
    const account = until instanceof Date ? { lockUntil: until.getTime() } : { lockFor };
    return this.act('lock()', 'account_locked', subject, { account }, options);
  }

  /**
   * Allows logins again before the lock has expired. The `events` of the receipt are empty, because
   * nothing is revoked.
   */
  async unlock(subject: Subject, options: AccountActOptions = {}): Promise<LogoutReceipt> {
    return this.allow('unlock()', 'account_unlocked', subject, 'lockedUntil', options);
  }

  /**
   * Revokes all sessions and refuses logins with `account_disabled` until {@link enable} is called.
   *
   * @throws AuthWiringError with `manager`, and for a foreign `issuer`, whose logins this
   * application cannot refuse.
   */
  async disable(subject: Subject, options: AccountActOptions = {}): Promise<LogoutReceipt> {
    const account = { disable: true };
    return this.act('disable()', 'account_disabled', subject, { account }, options);
  }

  /** Allows logins of a disabled account again. Its receipt is like that of {@link unlock}. */
  async enable(subject: Subject, options: AccountActOptions = {}): Promise<LogoutReceipt> {
    return this.allow('enable()', 'account_enabled', subject, 'disabledAt', options);
  }

  /**
   * Revokes all sessions of a deleted account, and deletes what is stored about its logins. Only
   * hashes are kept, until the last token has expired. A new account with the same id can log in.
   *
   * With `manager` this instance deletes the logins within seconds after the commit. If the
   * instance stops before that, the purge deletes them when they would have expired.
   */
  async remove(subject: Subject, options: AccountChangeOptions = {}): Promise<LogoutReceipt> {
    const type = 'account_removed';
    const request = await this.requestOf('remove()', subject, {}, options.issuer);
    const key = this.keys.hex('subject', request.issuer, request.subject);
    const afterCommit = ({ events }: LogoutReceipt): Promise<void> =>
      this.eraser.eraseBelow(key, events[0]?.position ?? 0);
    const receipt = await this.writer.end({ request, type, reason: type, afterCommit }, options);
    const runner = options.manager?.queryRunner;
    const id = receipt.events[0]?.id;
    if (runner !== undefined && id !== undefined) this.eraser.eraseAfter(runner, id, key);
    return receipt;
  }

  /**
   * Revokes all sessions except `keepSession`, the `sid` of the session in which the password was
   * changed. Call it in the transaction that stores the new password (`manager`) or after its
   * commit, not before it. Then every login that was checked against the old password is revoked
   * too.
   */
  async passwordChanged(
    subject: Subject,
    options: AccountChangeOptions & { readonly keepSession?: string | undefined } = {},
  ): Promise<LogoutReceipt> {
    const { keepSession: exceptSession, ...act } = options;
    return this.act('passwordChanged()', 'password_changed', subject, { exceptSession }, act);
  }

  /**
   * Revokes all access tokens and no session, for example after the roles of a user changed. The
   * next refresh returns a token with the new claims, which come from the option `claims`. API
   * tokens are not affected.
   */
  async claimsChanged(
    subject: Subject,
    options: AccountChangeOptions = {},
  ): Promise<LogoutReceipt> {
    return this.act('claimsChanged()', 'claims_changed', subject, { accessOnly: true }, options);
  }

  private async act(
    call: string,
    type: RevocationReason & AuthEventType,
    subject: Subject,
    what: Pick<SubjectRequest, 'account' | 'exceptSession' | 'accessOnly'>,
    options: AccountChangeOptions,
  ): Promise<LogoutReceipt> {
    if (what.account !== undefined) refuseManager(options, call);
    const request = await this.requestOf(call, subject, what, options.issuer);
    return this.writer.end({ request, type, reason: type }, options);
  }

  private async requestOf(
    call: string,
    given: Subject,
    what: Pick<SubjectRequest, 'account' | 'exceptSession' | 'accessOnly'>,
    givenIssuer: string | undefined,
  ): Promise<SubjectRequest> {
    const subject = subjectOf(given, call);
    const issuer =
      what.account === undefined
        ? await this.issuers.ofSubject(subject, givenIssuer, call)
        : await this.issuers.ofLogins(subject, givenIssuer, call);
    return { kind: 'subject', issuer, subject, ...what };
  }

  private async allow(
    call: string,
    type: 'account_unlocked' | 'account_enabled',
    given: Subject,
    what: 'lockedUntil' | 'disabledAt',
    options: AccountActOptions,
  ): Promise<LogoutReceipt> {
    refuseManager(options, call);
    const subject = subjectOf(given, call);
    const issuer = await this.issuers.ofLogins(subject, options.issuer, call);
    const key = this.keys.hex('subject', issuer, subject);
    // A lock whose COMMIT is in doubt must not take effect after this call.
    await this.log.settleUnknown();
    await this.store.write(function* ({ accounts }) {
      yield accounts.allow[what](key);
    });
    const { reason, actor, requestId } = options;
    this.events.tell({ type, subject, scope: 'subject', reason, actor, requestId });
    return {
      events: [],
      effectiveEverywhereWithin: 0,
      keptUntil: null,
      applied: () => Promise.resolve(),
    };
  }

  /**
   * Warns about a lock that is shorter than an access token. The tokens stay revoked here, but
   * other services that only verify signatures would accept them after the lock.
   */
  private warnOfShortLock(lockFor: number): void {
    const { accessTokenTtl } = this.options;
    if (lockFor >= accessTokenTtl) return;
    const short = Math.ceil((accessTokenTtl - lockFor) / 1000);
    this.logger.warn(
      `An account is locked for ${short} s less than an access token is valid. Tokens from before the ` +
        'lock stay revoked anyway; other services that only verify signatures would accept them.',
    );
  }
}

/** @throws AuthWiringError with `manager`. It also protects callers that do not use TypeScript. */
function refuseManager(options: AccountChangeOptions, call: string): void {
  if (options.manager === undefined) return;
  throw new AuthWiringError(
    `${call} was called with { manager }: an account cannot be locked, unlocked, disabled or enabled in a transaction of yours, because that has to take effect at once.`,
    'Call it before the transaction, without { manager }, and logoutAll(subject, { manager }) in it.',
  );
}

function badRequest(what: string): AuthException {
  return refusal('invalid_request', { message: `Nothing was locked: ${what}.` });
}
