import type { LogEvent, RevocationReason } from './revocation-event.js';

/**
 * What the events of an account (or of an issuer) that end **sessions** add up to, in one row: a
 * session can live for longer than any event is kept (protocol G6).
 *
 * The same three values as in the index (`mark.ts`, protocol G4): the highest limit, the one session
 * that it spares, and the highest limit of the events that spare another one or none.
 */
export interface SubjectMarks {
  /** Sessions whose login's `gen` is below are dead. */
  readonly killsBelow: number;
  readonly reason: RevocationReason;
  /** The key of the one session that is judged by {@link sparedBelow} instead. */
  readonly exceptKey: string | null;
  readonly sparedBelow: number;
  readonly sparedReason: RevocationReason;
}

/** An account that was never marked. */
export const UNMARKED: SubjectMarks = {
  killsBelow: 0,
  reason: 'unspecified',
  exceptKey: null,
  sparedBelow: 0,
  sparedReason: 'unspecified',
};

/** Counts an event in, in whatever order they come; no limit ever falls. */
export function mark(
  marks: SubjectMarks,
  { killsBelow, except, reason }: Pick<LogEvent, 'killsBelow' | 'except' | 'reason'>,
): SubjectMarks {
  const limit = killsBelow ?? 0;
  const spared = { sparedBelow: marks.killsBelow, sparedReason: marks.reason };
  if (limit > marks.killsBelow) {
    const next = { ...marks, killsBelow: limit, reason };
    return except === marks.exceptKey ? next : { ...next, ...spared, exceptKey: except };
  }
  if (except !== marks.exceptKey && limit > marks.sparedBelow) {
    return { ...marks, sparedBelow: limit, sparedReason: reason };
  }
  return marks;
}

/** Why a session is dead, or `undefined` if no mark ends it. */
export function endedBy(
  marks: SubjectMarks,
  gen: number,
  sessionKey: string,
): RevocationReason | undefined {
  if (sessionKey === marks.exceptKey) {
    return gen < marks.sparedBelow ? marks.sparedReason : undefined;
  }
  return gen < marks.killsBelow ? marks.reason : undefined;
}
