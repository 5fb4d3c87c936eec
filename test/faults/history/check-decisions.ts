import type { History, Isolation, Operation } from './operation.js';
import type { SessionHistory } from './session-history.js';
import { excerptOf, type Promised, type Violation } from './violation.js';

/** What the whole history says about each process, computed once. */
export class Surroundings {
  private readonly isolations = new Map<string, Isolation[]>();
  private readonly loading = new Map<number, Operation>();

  constructor(private readonly history: History) {
    for (const isolation of history.isolations) {
      const list = this.isolations.get(isolation.instance) ?? [];
      list.push(isolation);
      this.isolations.set(isolation.instance, list);
    }
    for (const operation of history.operations) {
      const { kind, code, incarnation, invoked } = operation;
      if (kind !== 'health' || code !== 'loading') continue;
      const last = this.loading.get(incarnation);
      if (last === undefined || last.invoked < invoked) this.loading.set(incarnation, operation);
    }
  }

  /** When the process was started that received this operation. */
  startOf({ incarnation }: Operation): number {
    return this.history.incarnations[incarnation]?.started ?? -Infinity;
  }

  /** The isolation that had lasted for `bound` when it was sent, and still lasted when it was answered. */
  isolationAround({ incarnation, invoked, completed }: Operation, bound: number): boolean {
    const instance = this.history.incarnations[incarnation]?.instance ?? '';
    const list = this.isolations.get(instance) ?? [];
    return list.some(({ from, to }) => invoked >= from + bound && completed <= to);
  }

  /** An answer "still loading" that came from this process after it had answered the operation. */
  loadingAfter({ incarnation, completed }: Operation): Operation | undefined {
    const last = this.loading.get(incarnation);
    return last !== undefined && last.invoked > completed ? last : undefined;
  }
}

/** Refusals that mean that the session is over; every other 401 of a token of ours is false. */
const REVOKED = new Set(['session_ended', 'token_revoked']);

/** Refusals that decide nothing about a token: 503, and what follows from it. */
const UNDECIDED = new Set(['revocation_state_unknown', 'storage_unavailable']);

const GUARDED = new Set(['me', 'logoutOthers', 'logoutAll']);

/**
 * P1 to P6 and P8: what was decided about the tokens of one login.
 *
 * @param bound - In milliseconds; an instance may accept until the last of them.
 */
export function* checkDecisions(
  story: SessionHistory,
  surroundings: Surroundings,
  bound: number,
): Generator<Violation> {
  const { login, must } = story;
  const refused = new Map<number, Operation>();
  for (const operation of story.operations) {
    // A refresh asks the database, and so may know of a revocation before the index does.
    if (!isRevoked(operation) || operation.kind === 'refresh') continue;
    const first = refused.get(operation.incarnation);
    if (first === undefined || operation.completed < first.completed) {
      refused.set(operation.incarnation, operation);
    }
  }
  for (const operation of story.operations) {
    const refusal = refusalAgainstNothing(story, operation);
    if (refusal !== undefined) yield refusal;
    if (operation.outcome !== 'ok' || !GUARDED.has(operation.kind)) continue;
    const accept = operation;
    const broken = (promise: Promised, what: string, ...others: Operation[]): Violation => ({
      promise,
      what,
      excerpt: excerptOf(login, ...others, accept),
    });
    const earlier = refused.get(accept.incarnation);
    if (earlier !== undefined && earlier.completed <= accept.invoked) {
      yield broken('P6', 'accepted by the instance that had refused it', earlier);
    }
    if (surroundings.isolationAround(accept, bound)) {
      yield broken('P3', `accepted by an instance cut off for more than ${bound} ms`);
    }
    const loading = surroundings.loadingAfter(accept);
    if (loading !== undefined) yield broken('P4', 'accepted before the first load', loading);
    for (const { operation: end, settled } of must) {
      if (end === accept || accept.invoked < settled) continue;
      const late = accept.invoked - settled;
      if (surroundings.startOf(accept) >= settled) {
        yield broken('P5', 'accepted by a process that was started after the logout', end);
      } else if (end.incarnation === accept.incarnation) {
        const promise = end.outcome === 'unknown' ? 'W4' : 'P1';
        yield broken(promise, 'accepted by the instance that had logged it out', end);
      } else if (late >= bound) {
        yield broken('P2', `accepted ${(late - bound).toFixed(0)} ms after the bound`, end);
      } else continue;
      break;
    }
  }
}

function isRevoked({ outcome, code }: Operation): boolean {
  return outcome === 'fail' && code !== undefined && REVOKED.has(code);
}

/** P8: a 401 needs a revocation of this login that was at least invoked before the answer. */
function refusalAgainstNothing(
  { login, may, past }: SessionHistory,
  operation: Operation,
): Violation | undefined {
  const { kind, outcome, code, reason, completed } = operation;
  if (outcome !== 'fail' || code === undefined || UNDECIDED.has(code)) return undefined;
  if (kind === 'login' || kind === 'health' || kind === 'settle') return undefined;
  if (code === 'refresh_token_reused') return undefined; // P9 judges it
  const complain = (what: string): Violation => ({
    promise: 'P8',
    what,
    excerpt: excerptOf(
      past?.operation,
      login,
      ...may.slice(0, 3).map((end) => end.operation),
      operation,
    ),
  });
  // Overtaken by a revocation during the login, its token is revoked from the start, and its
  // session unknown.
  const isStillborn =
    code === 'refresh_token_invalid' &&
    may.some((end) => end.operation.invoked < (login?.completed ?? -Infinity));
  if (isStillborn) return undefined;
  if (!REVOKED.has(code)) return complain(`a token of ours was called "${code}"`);
  const ends = may.filter((end) => end.operation !== operation);
  const before = ends.filter((end) => end.operation.invoked < completed);
  if (before.length === 0) return complain('refused as revoked, and nothing had revoked it');
  if (reason === undefined || before.some((end) => end.reason === reason)) return undefined;
  return complain(`refused as "${reason}", and nothing of that kind had revoked it`);
}
