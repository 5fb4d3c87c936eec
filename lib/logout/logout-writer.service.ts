import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { RevocationReason } from '../database/revocation-event.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthUnavailableException } from '../errors/auth.exception.js';
import {
  type AuthEventDraft,
  AuthEvents,
  type AuthEventType,
} from '../events/auth-events.service.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { UNBOUNDED } from '../options/stale-policy.js';
import { AuthClock } from '../platform/auth-clock.js';
import { RevocationFeed } from '../revocation/feed/revocation-feed.service.js';
import type { RevocationRequest } from '../revocation/log/event-draft.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import { StalePolicies } from '../revocation/staleness/stale-policies.service.js';
import type { LogoutOptions, LogoutReceipt } from './logout-options.js';

/** A timer may fire this much early (ms). */
const TIMER_SLACK = 10;

/** One act: what it ends, and what an audit calls it. */
export interface Act {
  readonly request: RevocationRequest;
  /** Where the caller gives none. */
  readonly reason: RevocationReason;
  /** Default: `logout`, of a key `key_revoked`. */
  readonly type?: AuthEventType | undefined;
  /** Runs when it is committed, before other instances are waited for; not with `{ manager }`. */
  readonly afterCommit?: ((receipt: LogoutReceipt) => Promise<void>) | undefined;
}

/** Writes the event of one act, of LogoutService and of AccountService alike, and gives its receipt. */
@Injectable()
export class LogoutWriter {
  constructor(
    private readonly log: RevocationLog,
    private readonly feed: RevocationFeed,
    private readonly policies: StalePolicies,
    private readonly events: AuthEvents,
    private readonly clock: AuthClock,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * Ends what is asked for. Of a token or session that had ended before, nothing is written and nothing
   * is reported; the receipt is that of the event that ended it.
   *
   * @throws AuthUnavailableException `storage_unavailable` when it was not stored, or when that is not
   * known.
   * @throws AuthWiringError for `{ manager, wait }`, and where `wait` can have no end.
   */
  async end(
    { request, type, afterCommit, ...act }: Act,
    { wait, manager, requestId, actor, ...given }: LogoutOptions,
  ): Promise<LogoutReceipt> {
    const reason = given.reason ?? act.reason;
    const complete = { ...request, reason, actor };
    const about = aboutOf(request);
    const told = { ...about, type: type ?? about.type, reason, actor, requestId };
    if (manager !== undefined) {
      if (wait !== undefined) throw cannotWaitInTransaction();
      return this.endWith(manager, complete, told);
    }
    const { widest } = this.policies;
    if (wait === 'everywhere' && widest >= UNBOUNDED) {
      throw cannotWait('this instance', 'Nothing was ended.');
    }
    const { head, events, isRepetition } = await this.log.append([complete]);
    if (!isRepetition) this.events.tell(told);
    const bound = Math.max(head.maxStaleness, widest);
    const until = events[0]?.until ?? null;
    const receipt: LogoutReceipt = {
      events: events.map(({ position, id }) => ({ kind: complete.kind, position, id })),
      effectiveEverywhereWithin: secondsOf(bound),
      keptUntil: until === null ? null : new Date(until),
      applied: () => Promise.resolve(),
    };
    await afterCommit?.(receipt);
    if (wait === 'everywhere') {
      if (bound >= UNBOUNDED) throw cannotWait('another instance', 'It was ended, and counts.');
      await this.pass(bound);
    }
    return receipt;
  }

  /** In the caller's transaction nothing has a position yet, and all counts from the caller's commit (C5). */
  private async endWith(
    manager: EntityManager,
    request: RevocationRequest,
    told: AuthEventDraft,
  ): Promise<LogoutReceipt> {
    const bound = await this.log.bound();
    const drafts = await this.log.appendWith(manager, [request]);
    this.events.tell(told);
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
        throw new AuthUnavailableException(
          'revocation_state_unknown',
          'The application shut down before the logout was seen to be in force here.',
        );
      }
      await this.pass(this.options.maxStaleness / 4, false);
    }
  }

  private pass(milliseconds: number, keepAlive = true): Promise<void> {
    return new Promise((resolve) => {
      this.clock.schedule(milliseconds + TIMER_SLACK, resolve, keepAlive);
    });
  }
}

/** What an audit may know of it: the account or the session, hashed; never a token's id. */
function aboutOf(request: RevocationRequest): Omit<AuthEventDraft, 'reason'> {
  const type = request.kind === 'key' ? 'key_revoked' : 'logout';
  return {
    type,
    scope: request.kind,
    subject: request.kind === 'subject' ? request.subject : undefined,
    sessionId: request.kind === 'session' ? request.sid : undefined,
  };
}

/** A hundred years are no bound that anybody should wait for, or read. */
function secondsOf(bound: number): number {
  return bound >= UNBOUNDED ? Infinity : bound / 1000;
}

function cannotWaitInTransaction(): AuthWiringError {
  return new AuthWiringError(
    '{ manager, wait } cannot work together: inside the transaction nothing is in force yet.',
    'Leave wait out, and await receipt.applied() after the commit.',
  );
}

function cannotWait(who: string, outcome: string): AuthWiringError {
  return new AuthWiringError(
    `{ wait: 'everywhere' } cannot be answered: ${who} has registered that it may accept revoked tokens without a bound ('open' or observe). ${outcome}`,
    'Leave wait out; effectiveEverywhereWithin is Infinity.',
    "Replace 'open' by { staleFor }, then lower the bound in the head (npx nestjs-logout lower-bound).",
  );
}
