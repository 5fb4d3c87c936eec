import { type LogEvent, reasonOf, type RevocationReason } from './revocation-event.entity.js';
import { Bytes, Position, Table, Text } from './table.js';

/**
 * What is stored of an account, or of an issuer as a whole: which of its sessions are revoked, and
 * whether it may log in. Read-only; use `AccountService` and `LogoutService` to change it.
 *
 * An account without a row was never revoked, locked or disabled. Join it with your users through
 * {@link AuthSession}: `subjectKey` is a digest of the issuer and the subject.
 *
 * @example
 * ```ts
 * import { AuthAccount } from 'nestjs-logout';
 * import { type DataSource, IsNull, Not } from 'typeorm';
 *
 * export function disabledAccounts(dataSource: DataSource): Promise<AuthAccount[]> {
 *   return dataSource.getRepository(AuthAccount).findBy({ disabledAt: Not(IsNull()) });
 * }
 * ```
 * @publicApi
 */
@Table('auth_subject', ['SELECT', 'INSERT', 'UPDATE', 'DELETE'])
export class AuthAccount {
  /** A digest of the issuer and the subject, 32 lower-case hexadecimal digits. */
  @Bytes({ name: 'subject_key', key: true }) readonly key!: string;
  /** Sessions whose `gen` is below are revoked. */
  @Position() readonly killsBelow!: number;
  @Text({ read: reasonOf }) readonly reason!: RevocationReason;
  /** The key of the one session that is judged by `sparedBelow` instead. */
  @Bytes({ nullable: true }) readonly exceptKey!: string | null;
  @Position() readonly sparedBelow!: number;
  @Text({ read: reasonOf }) readonly sparedReason!: RevocationReason;
  /** When its sessions were last revoked (epoch ms); 0 = never. The purge deletes old rows by it. */
  @Position() readonly markedAt!: number;
  /** Until when it may not log in (epoch ms, the database's time). */
  @Position({ nullable: true }) readonly lockedUntil!: number | null;
  /** Since when it may not log in (epoch ms). */
  @Position({ nullable: true }) readonly disabledAt!: number | null;
}

/**
 * What the events of an account (or of an issuer) that end **sessions** add up to, in one row: a
 * session can live for longer than any event is kept (protocol G6).
 *
 * The same three values as in the index (`mark.ts`, protocol G4): the highest limit, the one session
 * that it spares, and the highest limit of the events that spare another one or none.
 */
type SubjectMarks = Pick<
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
