import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type {
  RevocationKind,
  RevocationReason,
} from '../database/entities/revocation-event.entity.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { refusal } from '../errors/auth.exception.js';
import {
  type AuthEventDraft,
  AuthEvents,
  type AuthEventType,
} from '../events/auth-events.service.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { UNBOUNDED } from '../options/operation-settings.js';
import { AuthClock, passTime } from '../platform/auth-clock.js';
import { RevocationFeed } from './feed/revocation-feed.service.js';
import { DEFAULT_REASONS, type RevocationRequest } from './log/event-draft.js';
import { RevocationLog, type Written } from './log/revocation-log.service.js';
import { StalePolicies } from './staleness/stale-policies.service.js';
import { secondsOf } from './staleness/proof-clock.js';

/**
 * The options of every method of {@link LogoutService} and of the acts of {@link AccountService}.
 */
export interface LogoutOptions {
  /**
   * `'everywhere'` resolves only when no instance can accept the token any more. That takes
   * `maxStaleness` (5 s by default), or the widest failure policy of any instance if that is
   * longer.
   *
   * @throws AuthWiringError if an instance has the policy `'open'` or the option `observe`. If it
   * is this instance, nothing was written. If it is another one, the logout was committed, and the
   * error says so.
   */
  readonly wait?: 'everywhere' | undefined;
  /**
   * The EntityManager of your transaction. The logout takes effect when the transaction commits, and does
   * not happen if it rolls back.
   */
  readonly manager?: EntityManager | undefined;
  /**
   * The reason. The holder of the token can read it in the body of the 401, so it must not contain
   * a secret. Each method has its own default.
   */
  readonly reason?: RevocationReason | undefined;
  /** Who did it, for the audit: at most 255 characters. It is never sent to a client. */
  readonly actor?: string | undefined;
  /** The id of the request in which it happens, for the audit. */
  readonly requestId?: string | undefined;
}

/** The result of a logout: its events, and the time within which all instances refuse the tokens. */
export interface LogoutReceipt {
  /** The events that were written; `position` is `null` while the caller's transaction is open. */
  readonly events: readonly {
    readonly kind: RevocationKind;
    readonly position: number | null;
    readonly id: string;
  }[];
  /**
   * Seconds after which no instance accepts the token any more, whatever the hosts' clocks show. It
   * is the widest staleness that any instance has registered. Infinity (`null` in JSON) while an
   * instance has the policy `'open'`, or only observes.
   */
  readonly effectiveEverywhereWithin: number;
  /**
   * Until when the event is kept; `null` for a key, whose event is kept for ever, and with `{
   * manager }`.
   */
  readonly keptUntil: Date | null;
  /**
   * Resolves when this instance refuses the token: at once, or with `{ manager }` after the next
   * proof, so call it after your commit. In a process that only writes (`follow: false`) it always
   * resolves at once, because such a process accepts no token anyway.
   *
   * @throws AuthUnavailableException `revocation_state_unknown` if the application shuts down
   * first.
   */
  applied(): Promise<void>;
}

/** One logout or act on an account: what it revokes, and how it is reported. */
export interface Act {
  readonly request: RevocationRequest;
  /** Used if the caller gives no reason. Default: that of the request's kind. */
  readonly reason?: RevocationReason | undefined;
  /** Default: `logout`, and `key_revoked` for a key. */
  readonly type?: AuthEventType | undefined;
  /** The account of a token, for the audit. */
  readonly subject?: string | undefined;
  /**
   * Runs after the commit, and before `wait: 'everywhere'` waits for other instances. It does not
   * run with `{ manager }`.
   */
  readonly afterCommit?: ((receipt: LogoutReceipt) => Promise<void>) | undefined;
}

/** Why the library itself ends sessions of its own issuer, and what an audit reports about it. */
export type SessionsEnd = Omit<AuthEventDraft, 'type' | 'scope' | 'sessionId' | 'reason'> & {
  readonly reason: RevocationReason;
  /** Default: `logout`. */
  readonly type?: AuthEventType | undefined;
};

/**
 * Node may fire a timer early by this much (ms), and `wait: 'everywhere'` must not resolve early.
 */
const TIMER_SLACK = 10;

/**
 * The one writer of revocations. Logout, acts on accounts, reuse of a refresh token, session limits
 * and key revocation all use it. It appends to the log, reports to {@link AuthEvents} and returns
 * the receipt.
 *
 * Specified in docs/protocol.md, "Writing" and "In the caller's transaction".
 */
@Injectable()
export class RevocationWriter {
  constructor(
    private readonly log: RevocationLog,
    private readonly feed: RevocationFeed,
    private readonly policies: StalePolicies,
    private readonly events: AuthEvents,
    private readonly clock: AuthClock,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * Revokes what the request describes. If a token or session was revoked before, nothing is
   * written or reported, and the receipt is that of the earlier event.
   *
   * @throws AuthUnavailableException `storage_unavailable` when the event was not stored, or when
   * the outcome is not known. Never treat it as a successful logout.
   * @throws AuthWiringError for `{ manager, wait }` together, and if `wait` could never resolve.
   */
  async end(act: Act, options: LogoutOptions): Promise<LogoutReceipt> {
    const { wait, manager, requestId, actor } = options;
    const reason = options.reason ?? act.reason ?? DEFAULT_REASONS[act.request.kind];
    const request = { ...act.request, reason, actor };
    const report = { ...reportOf(request, act), reason, actor, requestId };
    if (manager !== undefined) {
      if (wait !== undefined) throw cannotWaitInTransaction();
      return this.endWith(manager, request, report);
    }
    const { widest } = this.policies;
    if (wait === 'everywhere' && widest >= UNBOUNDED) {
      throw cannotWait('this instance', 'Nothing was ended.');
    }
    const written = await this.log.append([request]);
    if (!written.isRepetition) this.events.tell(report);
    const bound = Math.max(written.head.maxStaleness, widest);
    const receipt = receiptOf(written, request.kind, bound);
    await act.afterCommit?.(receipt);
    if (wait === 'everywhere') {
      if (bound >= UNBOUNDED) throw cannotWait('another instance', 'It was ended, and counts.');
      await passTime(this.clock, bound + TIMER_SLACK);
    }
    return receipt;
  }

  /**
   * Revokes several sessions of our own issuer in one write: those beyond a limit, those of a
   * leaked key, or the one whose refresh token was reused. Each session is reported, also one that
   * was revoked before.
   *
   * @throws AuthUnavailableException `storage_unavailable`. Then nothing was reported.
   */
  async endSessions(sids: readonly string[], why: SessionsEnd): Promise<void> {
    if (sids.length === 0) return;
    const { issuer } = this.options;
    const { type = 'logout', reason, actor, ...about } = why;
    await this.log.append(
      sids.map((sid) => ({ kind: 'session', issuer, sid, reason, actor }) as const),
    );
    for (const sessionId of sids) {
      this.events.tell({ ...about, type, scope: 'session', sessionId, reason, actor });
    }
  }

  /**
   * Writes in the caller's transaction. The events get their positions after the caller's commit,
   * and take effect with it (C5).
   */
  private async endWith(
    manager: EntityManager,
    request: RevocationRequest,
    report: AuthEventDraft,
  ): Promise<LogoutReceipt> {
    const bound = await this.log.bound();
    const drafts = await this.log.callers.append(manager, request);
    this.events.tell(report);
    return {
      events: drafts.map(({ id }) => ({ kind: request.kind, position: null, id })),
      effectiveEverywhereWithin: secondsOf(bound),
      keptUntil: null,
      applied: () => this.applied(),
    };
  }

  /**
   * Waits for a proof that was sent after this call, so that it shows what the caller has
   * committed.
   *
   * @throws AuthUnavailableException `revocation_state_unknown` if the application shuts down
   * first.
   */
  private async applied(): Promise<void> {
    if (!this.options.follow) return;
    while (!(await this.feed.strictProof())) {
      if (this.feed.isStopped) {
        throw refusal('revocation_state_unknown', {
          message:
            'The application shut down before this instance could confirm that the logout is in effect.',
        });
      }
      await passTime(this.clock, this.options.maxStaleness / 4, false);
    }
  }
}

/**
 * What an audit may learn: the account or the session, which {@link AuthEvents} hashes, but never
 * the id of a token.
 */
function reportOf(
  request: RevocationRequest,
  { type, subject }: Pick<Act, 'type' | 'subject'>,
): Omit<AuthEventDraft, 'reason'> {
  const what = type ?? (request.kind === 'key' ? 'key_revoked' : 'logout');
  if (request.kind !== 'subject' || request.scope === undefined) {
    return {
      type: what,
      scope: request.kind,
      subject: request.kind === 'subject' ? request.subject : subject,
      sessionId: request.kind === 'session' ? request.sid : undefined,
    };
  }
  // Several accounts can share one grant, so no subject is reported.
  if ('grant' in request.scope) return { type: what, scope: 'grant' };
  return { type: what, scope: 'client', subject: request.scope.subject };
}

function receiptOf({ events }: Written, kind: RevocationKind, bound: number): LogoutReceipt {
  const until = events[0]?.until ?? null;
  return {
    events: events.map(({ position, id }) => ({ kind, position, id })),
    effectiveEverywhereWithin: secondsOf(bound),
    keptUntil: until === null ? null : new Date(until),
    applied: () => Promise.resolve(),
  };
}

function cannotWaitInTransaction(): AuthWiringError {
  return new AuthWiringError(
    '{ manager, wait } cannot be combined: nothing takes effect before the transaction commits.',
    'Omit wait, and await receipt.applied() after the commit.',
  );
}

function cannotWait(who: string, outcome: string): AuthWiringError {
  return new AuthWiringError(
    `{ wait: 'everywhere' } cannot be answered: ${who} has registered that it may accept revoked tokens without a bound ('open' or observe). ${outcome}`,
    'Omit wait. effectiveEverywhereWithin is Infinity.',
    "Replace 'open' with { staleFor }, then lower the registered bound (npx nestjs-logout lower-bound).",
  );
}
