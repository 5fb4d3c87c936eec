import type { AuthClock } from '../platform/auth-clock.js';
import {
  type AccountRow,
  MARK_PROPERTIES,
  type SubjectMarks,
  UNMARKED,
} from './account.statements.js';
import type { Dialect } from './dialect.js';
import { AuthAccount } from './entities/auth-account.entity.js';
import { integerOf, reader } from './entities/table.js';
import { StatementRepository } from './statement-repository.js';
import type { Row } from './statement.js';

/** Whether an account may log in. */
type Locks = Pick<AccountRow, 'lockedUntil' | 'disabledAt'>;

/** What a session is judged by: its account, its issuer, and the database's time. */
export interface Judgement {
  readonly account: SubjectMarks & Locks;
  readonly issuer: SubjectMarks;
  readonly now: number;
}

const ACCOUNT_PROPERTIES = [...MARK_PROPERTIES, 'lockedUntil', 'disabledAt'] as const;
const [ACCOUNT, ISSUER] = ['account_', 'issuer_'];
const readAccount = reader(AuthAccount, ACCOUNT_PROPERTIES, ACCOUNT);
const readIssuer = reader(AuthAccount, MARK_PROPERTIES, ISSUER);
const UNLOCKED: Locks = { lockedUntil: null, disabledAt: null };

/**
 * The part of a SELECT that reads a judgement, beside the time as `now`: its columns, and the joins that go
 * behind the other tables.
 * Two joins by equality: no database finds one join to either of two keys by the index.
 *
 * @param subject - The key of the account: a column, or a placeholder.
 * @param issuer - The key of the issuer.
 */
export function judgedBy(
  dialect: Dialect,
  subject: string,
  issuer: string,
): { readonly columns: string; readonly joins: string } {
  const accounts = new StatementRepository(dialect, AuthAccount);
  return {
    columns:
      `${accounts.select('a', ACCOUNT_PROPERTIES, ACCOUNT)}, ` +
      accounts.select('i', MARK_PROPERTIES, ISSUER),
    joins:
      ` LEFT JOIN ${accounts.table} a ON a.subject_key = ${subject}` +
      ` LEFT JOIN ${accounts.table} i ON i.subject_key = ${issuer}`,
  };
}

/** An account or issuer of which nothing is stored has no marks and no lock. */
export function judgementOf(row: Row | undefined, clock: Pick<AuthClock, 'database'>): Judgement {
  if (row === undefined) throw new Error('The database gave no row for its own time.');
  const isKnown = (prefix: string): boolean => row[`${prefix}kills_below`] !== null;
  return {
    account: isKnown(ACCOUNT) ? readAccount(row) : { ...UNMARKED, ...UNLOCKED },
    issuer: isKnown(ISSUER) ? readIssuer(row) : UNMARKED,
    now: clock.database(integerOf(row['now'])),
  };
}
