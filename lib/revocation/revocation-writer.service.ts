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

/** The options of every method of {@link LogoutService}. */
export interface LogoutOptions {
  /**
   * `'everywhere'`: resolve only when no instance can accept the token any more. That takes up to
   * `maxStaleness`, or the widest failure policy of any instance.
   *
   * @throws AuthWiringError if an instance has the policy `'open'` or the option `observe`. If it is this
   * instance, nothing was written. If it is another one, the logout has happened, and the error says so.
   */
  readonly wait?: 'everywhere' | undefined;
  /**
   * The EntityManager of your transaction. The logout takes effect when the transaction commits, and does
   * not happen if it rolls back.
   */
  readonly manager?: EntityManager | undefined;
  /** The reason, which the holder of the token can read. Each method has its own default. */
  readonly reason?: RevocationReason | undefined;
  /** Who did it, for the audit; at most 255 characters. */
  readonly actor?: string | undefined;
  /** The request in which it happens, for the audit. */
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
   * Seconds after which no instance accepts the token any more, whatever the hosts' clocks say: the
   * widest failure policy of any instance. Infinity (`null` in JSON) while one instance has the policy
   * `'open'`, or only observes.
   */
  readonly effectiveEverywhereWithin: number;
  /** Until when the event is kept; `null` for a key (permanently) and with `{ manager }`. */
  readonly keptUntil: Date | null;
  /**
   * Resolves when this instance refuses the token. That is at once, except with `{ manager }`: then with
   * the next proof after the caller's commit. In a process that only writes (`follow: false`) it always
   * resolves at once and proves nothing, because such a process accepts no token anyway.
   */
  applied(): Promise<void>;
}

/** One act: what it ends, and what an audit calls it. */
export interface Act {
  readonly request: RevocationRequest;
  /** Used where the caller gives no reason. Default: that of the request's kind. */
  readonly reason?: RevocationReason | undefined;
  /** Default: `logout`, and `key_revoked` for a key. */
  readonly type?: AuthEventType | undefined;
  /** Of a token: its account, for the audit. */
  readonly subject?: string | undefined;
  /** Runs after the commit and before other instances are waited for; not with `{ manager }`. */
  readonly afterCommit?: ((receipt: LogoutReceipt) => Promise<void>) | undefined;
}

/** Why the library itself ends sessions of its own issuer, and what an audit reports about it. */
export type SessionsEnd = Omit<AuthEventDraft, 'type' | 'scope' | 'sessionId' | 'reason'> & {
  readonly reason: RevocationReason;
  /** Default: `logout`. */
  readonly type?: AuthEventType | undefined;
};

/** A timer may fire this much early (ms). */
const TIMER_SLACK = 10;

/**
 * The one writer of revocations. Logout, account acts, reuse of a refresh token, session limits and key
 * revocation all come here: it appends to the log, reports to {@link AuthEvents} and makes the receipt.
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
   * Ends what is asked for. For a token or session that had ended before, nothing is written and nothing
   * is reported; the receipt is that of the event that ended it.
   *
   * @throws AuthUnavailableException `storage_unavailable` when it was not stored, or when that is not
   * known.
   * @throws AuthWiringError for `{ manager, wait }`, and where `wait` can have no end.
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
   * Ends sessions of our own issuer in one write: those beyond a limit, those of a leaked key, the one
   * whose refresh token was reused. Each of them is reported, also one that had ended before.
   *
   * @throws AuthUnavailableException `storage_unavailable`: nothing was reported.
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

  /** In the caller's transaction nothing has a position yet; all counts from the caller's commit (C5). */
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

  /** @throws AuthUnavailableException when the application shuts down before it could be known. */
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

/** What an audit may learn about it: the account or the session, hashed, but never a token's id. */
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
  // Several accounts may have one grant.
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
