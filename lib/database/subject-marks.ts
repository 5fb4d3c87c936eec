import type { AuthAccount } from './entities/auth-account.entity.js';
import type { LogEvent, RevocationReason } from './entities/revocation-event.entity.js';

/**
 * What the events of an account (or of an issuer) that end **sessions** add up to, in one row: a
 * session can live for longer than any event is kept (protocol G6).
 *
 * The same three values as in the index (`mark.ts`, protocol G4): the highest limit, the one session
 * that it spares, and the highest limit of the events that spare another one or none.
 */
export type SubjectMarks = Pick<
  AuthAccount,
  'killsBelow' | 'reason' | 'exceptKey' | 'sparedBelow' | 'sparedReason'
>;

/** An account that was never marked. */
export const UNMARKED: SubjectMarks = {
  killsBelow: 0,
  reason: 'unspecified',
  exceptKey: null,
  sparedBelow: 0,
  sparedReason: 'unspecified',
};

/** Counts an event in, in whatever order they come; no limit ever falls. */
export function mark<T extends SubjectMarks>(
  marks: T,
  { killsBelow, except, reason }: Pick<LogEvent, 'killsBelow' | 'except' | 'reason'>,
): T {
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
