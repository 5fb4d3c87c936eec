import { Injectable } from '@nestjs/common';
import { AuthException, AuthUnavailableException, refusal } from '../errors/auth.exception.js';
import type { AuthErrorCode } from '../errors/error-codes.js';

/** A count for each code that was sent. */
type CodeCounts = Partial<Record<AuthErrorCode, number>>;

/** Refusals that were counted. A refusal passes several callers on its way out; only the first counts it. */
const COUNTED = new WeakSet<AuthException>();

/** Marks a refusal as counted, because the service that refused has counted it without an exception. */
export function alreadyCounted(refused: AuthException): AuthException {
  COUNTED.add(refused);
  return refused;
}

/**
 * Counts what this instance does, since the start of the process. The counts are plain fields, so counting
 * costs almost nothing: `meter.polls.failed++`. Their names become labels of metrics, so they never contain
 * the id of a user. Requests that are accepted with a fresh proof are not counted, to keep them free (P11).
 *
 * Known labels start at 0. Prometheus would not see the first increase of a series that starts at 1.
 */
@Injectable()
export class AuthMeter {
  /**
   * Refusals (4xx) by code: of guards, routes and services, and every AuthException of a handler.
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
  /** Requests that were accepted without a fresh proof, by the policy that allowed it. */
  readonly staleAccepted = { open: 0, stale_for: 0, override: 0, observe: 0 };
  /** Rounds of the feed. A round polls until the head is reached, or fails. */
  readonly polls = { ok: 0, failed: 0 };
  /** Complete loads of the log, by their cause. */
  readonly loads = { start: 0, purge: 0, fork: 0 };
  /** Changes of the log's history that this instance found (`fork`) or made (`jump`). */
  readonly histories = { fork: 0, jump: 0 };
  /** Revocations that this instance committed, by scope. */
  readonly revocations = { token: 0, session: 0, subject: 0, key: 0, issuer: 0 };
  /** Revocations that could not be stored, by scope. */
  readonly revocationFailures = { token: 0, session: 0, subject: 0, key: 0, issuer: 0 };
  /**
   * Transactions that committed revocations. Those of whole accounts (`account`) have a queue of their own.
   */
  readonly batches = { shared: 0, account: 0 };
  /**
   * Runs of the purge. `elsewhere`: another instance runs it; `clocks`: skipped, because the clocks of host
   * and database differ.
   */
  readonly purges = { done: 0, elsewhere: 0, clocks: 0, failed: 0 };
  /** Rows that the purge deleted. `sessions` includes refresh tokens and accounts. */
  readonly purgedRows = { log: 0, sessions: 0 };
  /** Push notifications that were sent (`told`), received (`heard`), or could not be sent (`failed`). */
  readonly hints = { told: 0, heard: 0, failed: 0 };

  /** Watched tokens (`LiveTokens`) that ended, by code. */
  readonly liveEnded: CodeCounts = {
    token_expired: 0,
    token_revoked: 0,
    session_ended: 0,
    revocation_state_unknown: 0,
  };
  /** Tokens that are watched now, each for an open socket, stream or subscription. */
  watched = 0;

  /** Unexpired events that the last change of the history has lost. This instance still enforces them. */
  eventsLost = 0;
  /** Pending revocations that the database refuses to number. They stay in force. */
  pendingUnnumbered = 0;
  /** By how much this host's clock is ahead of the database's (ms); negative: behind. */
  clockAhead = 0;

  private readonly watchers = new Set<(milliseconds: number) => void>();

  /** Counts an AuthException once. Other errors are not counted. */
  refuse(error: unknown): void {
    if (!(error instanceof AuthException) || COUNTED.has(error)) return;
    COUNTED.add(error);
    const counts = error.getStatus() === 503 ? this.unavailable : this.refusals;
    counts[error.code] = (counts[error.code] ?? 0) + 1;
  }

  /** For `.catch()` of a promise: counts the refusal and throws it again. */
  readonly refused = (error: unknown): never => {
    this.refuse(error);
    throw error;
  };

  /**
   * Like {@link refused}, for one of several callers that share one failed promise. Each caller gets its own
   * exception, so that each of them is counted.
   */
  readonly refusedEach = (error: unknown): never => {
    if (!(error instanceof AuthUnavailableException)) return this.refused(error);
    const { code, message, cause, headers } = error;
    const own = refusal(code, { message, cause, retryAfter: Number(headers['Retry-After']) });
    return this.refused(own);
  };

  /** Counts a round of the feed that reached the head, and passes its duration (ms) to the watchers. */
  observePoll(milliseconds: number): void {
    this.polls.ok++;
    for (const watch of this.watchers) watch(milliseconds);
  }

  /** Calls `watch` with the duration (ms) of each later round of the feed. */
  watchPolls(watch: (milliseconds: number) => void): void {
    this.watchers.add(watch);
  }
}
