import type { History, Operation } from './operation.js';

/**
 * A promise of design.md, a rule of protocol.md, or a failure outside them, such as an undefined
 * answer.
 */
export type Promised =
  'P1' | 'P2' | 'P3' | 'P4' | 'P5' | 'P6' | 'P8' | 'P9' | 'W4' | 'not stuck' | 'answers';

/** A promise that was broken, and the fewest operations that show it. */
export interface Violation {
  readonly promise: Promised;
  readonly what: string;
  /** In the order of their invocation. */
  readonly excerpt: readonly Operation[];
}

/** The violation as lines of text; times count from the first of its operations. */
export function describeViolation(
  { promise, what, excerpt }: Violation,
  { incarnations }: History,
): string {
  const start = excerpt[0]?.invoked ?? 0;
  const time = (at: number): string =>
    (Number.isFinite(at) ? `${(at - start).toFixed(0)}` : 'never').padStart(7);
  const lines = excerpt.map((operation) => {
    const { kind, invoked, completed, outcome, code, reason, session, subject, incarnation } =
      operation;
    const where = `${incarnations[incarnation]?.instance ?? '?'}#${incarnation}`;
    const why = [code, reason].filter((word) => word !== undefined).join(', ');
    const committed = operation.isCommitted === true ? ', committed' : '';
    const how = `${meaningOf(operation)}${why === '' ? '' : ` (${why})`}${committed}`;
    const refresh = operation.presented === undefined ? '' : ` ${operation.presented.slice(0, 6)}`;
    const next = operation.successor === undefined ? '' : ` -> ${operation.successor.slice(0, 6)}`;
    return (
      `  ${time(invoked)} ..${time(completed)} ms  ${where.padEnd(6)} ${kind}${refresh} ` +
      `[${subject.slice(-12)} / ${session.slice(0, 8)}] ${how === outcome ? outcome : how}${next}`
    );
  });
  return [`${promise}: ${what}`, ...lines].join('\n');
}

function meaningOf({ kind, outcome }: Operation): string {
  if (kind !== 'me') return outcome;
  if (outcome === 'ok') return 'accepted';
  return outcome === 'fail' ? 'refused' : 'unknown';
}

/** An excerpt without doubles, in the order of time. */
export function excerptOf(...operations: (Operation | undefined)[]): Operation[] {
  const found = operations.filter((each) => each !== undefined);
  return [...new Set(found)].sort((one, other) => one.invoked - other.invoked);
}
