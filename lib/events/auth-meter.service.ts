import { Injectable } from '@nestjs/common';
import { AuthException, AuthUnavailableException, refusal } from '../errors/auth.exception.js';
import type { AuthErrorCode } from '../errors/error-codes.js';

/** A count of each code; a code that was never sent has none. */
type CodeCounts = Partial<Record<AuthErrorCode, number>>;

/** A refusal passes several callers on its way out, and is counted at the first. */
const COUNTED = new WeakSet<AuthException>();

/** For a refusal whose reason was counted before there was an exception. */
export function alreadyCounted(refused: AuthException): AuthException {
  COUNTED.add(refused);
  return refused;
}

/**
 * Counts what this instance does since the start of the process. The counts are plain fields, so that
 * counting costs nothing: `meter.polls.failed++`. Their names become labels of metrics, and never
 * hold the id of a user. What a fresh proof accepts is not counted: it is free (P11).
 *
 * What is known beforehand starts at 0: Prometheus sees no increase in a series that starts with its
 * first event.
 */
@Injectable()
export class AuthMeter {
  /**
   * Refusals (4xx) by code: what this library refused, in a guard, a route or a call, and every AuthException
   * that a handler answers with.
   */
  readonly refusals: CodeCounts & { credentials_invalid: number } = {
    token_missing: 0,
    token_invalid: 0,
    token_expired: 0,
    token_revoked: 0,
    session_ended: 0,
    credentials_invalid: 0,
    refresh_token_reused: 0,
  };
  /** 503s by code. */
  readonly unavailable: CodeCounts = {
    revocation_state_unknown: 0,
    storage_unavailable: 0,
    no_signing_key: 0,
  };
  /** Requests that were accepted without a proof that is fresh enough, by the policy that allowed it. */
  readonly staleAccepted = { open: 0, stale_for: 0, override: 0, observe: 0 };
  /** Rounds of the feed; a round reaches the head, or fails. */
  readonly polls = { ok: 0, failed: 0 };
  /** Complete readings of the log, by what made one necessary. */
  readonly loads = { start: 0, purge: 0, fork: 0 };
  /** Changes of the log's history: found (`fork`), or made by this instance (`jump`). */
  readonly histories = { fork: 0, jump: 0 };
  /** Revocations that this instance committed, by how much each ends. */
  readonly revocations = { token: 0, session: 0, subject: 0, key: 0, issuer: 0 };
  /** Revocations that failed: they could not be stored. */
  readonly revocationFailures = { token: 0, session: 0, subject: 0, key: 0, issuer: 0 };
  /** Transactions in which revocations were committed; concurrent ones share one. */
  readonly batches = { shared: 0, account: 0 };
  /** Runs of the purge; `elsewhere`: another instance ran it; `clocks`: host and database differ. */
  readonly purges = { done: 0, elsewhere: 0, clocks: 0, failed: 0 };
  /** Rows deleted by the purge: of the log, and of sessions, their tokens and accounts. */
  readonly purgedRows = { log: 0, sessions: 0 };
  /** Push notifications sent, received, and those that could not be sent. */
  readonly hints = { told: 0, heard: 0, failed: 0 };

  /** Watched tokens (`LiveTokens`) that ended, by code. */
  readonly liveEnded: CodeCounts = {
    token_expired: 0,
    token_revoked: 0,
    session_ended: 0,
    revocation_state_unknown: 0,
  };
  /** Tokens that are watched now. */
  watched = 0;

  /** Known live events that the last change of the history had lost. */
  eventsLost = 0;
  /** Pending revocations that the database refuses to number; they stay in force. */
  pendingUnnumbered = 0;
  /** By how much this host's clock is ahead of the database's (ms); negative: behind. */
  clockAhead = 0;

  private readonly watchers = new Set<(milliseconds: number) => void>();

  /** Counts a refusal, once for each exception; any other error is not counted. */
  refuse(error: unknown): void {
    if (!(error instanceof AuthException) || COUNTED.has(error)) return;
    COUNTED.add(error);
    const counts = error.getStatus() === 503 ? this.unavailable : this.refusals;
    counts[error.code] = (counts[error.code] ?? 0) + 1;
  }

  /** For the `catch` of a promise: counts its refusal and throws it again. */
  readonly refused = (error: unknown): never => {
    this.refuse(error);
    throw error;
  };

  /** The same for one of several callers that share a failure: each gets an exception of its own, and counts. */
  readonly refusedEach = (error: unknown): never => {
    if (!(error instanceof AuthUnavailableException)) return this.refused(error);
    const { code, message, cause, headers } = error;
    const own = refusal(code, { message, cause, retryAfter: Number(headers['Retry-After']) });
    return this.refused(own);
  };

  /** Counts a round of the feed that reached the head, and reports how long it took (ms). */
  observePoll(milliseconds: number): void {
    this.polls.ok++;
    for (const watch of this.watchers) watch(milliseconds);
  }

  /** Calls `watch` with the time that each round of the feed takes (ms), from now on. */
  watchPolls(watch: (milliseconds: number) => void): void {
    this.watchers.add(watch);
  }
}
