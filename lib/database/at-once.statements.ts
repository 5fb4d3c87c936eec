import type { OneStatement } from './dialect.js';
import { StorageFailure } from './log-database.js';
import { planName, type Statement, type Transaction } from './statement.js';
import { Statements } from './statement-repository.js';

/** Some statements: all of them change what they have to, or none does. */
export interface AllOrNothing {
  /** Comes first where they are several, if rows can be locked: what was waited for is seen by the others. */
  readonly lock?: Statement;
  /** A SELECT that ends with a condition; it gives a row if what was read before still holds. */
  readonly given: Statement;
  /** Changes a row, or nothing is changed at all. */
  readonly change: Statement;
  /** Each changes a row then; else all of it fails. */
  readonly others: readonly Statement[];
  /** Change any number of rows. */
  readonly sweeps: readonly Statement[];
}

const CHANGED = 'EXISTS (SELECT FROM changed)';

/** Why nothing is committed of a login or a refresh that was not stored as a whole. */
const LEFT_OUT = 'A row of a session was not written.';

/** A trigger may leave a row out without an error: then nothing is committed. */
export function* writeEach(statements: readonly Statement[]): Transaction<void> {
  for (const statement of statements) {
    if ((yield statement).affected !== 1) throw new StorageFailure('rolled back', LEFT_OUT, false);
  }
}

/**
 * Starts and refreshes sessions if what was read before still holds: in one transaction, and in one
 * statement where that can be one.
 *
 * The parts of one statement share one snapshot and run in no order of their own, so each waits for a row
 * of the one before: `allowed` if the settings are those of our transactions, `given`, `changed`, and then
 * the others. `given` locks what it finds, and does not wait for a lock: its snapshot would be old by then.
 */
export class AtOnceStatements extends Statements {
  private readonly kept = new Map<string, { readonly sql: string; readonly name: string }>();

  /**
   * A session that goes on: its account has no lock, and neither that nor the issuer has a cut-off that ends
   * it or is above the position. And the database's time is between these two.
   *
   * Compared with the session, not with what was seen: an act that is settled late sets a lock or a cut-off
   * below the highest one (G3).
   *
   * @param testTime - What a test's clock says instead of the database; `null`: the database's time.
   */
  readonly sessionGoesOn = this.prepare<
    [
      key: string,
      subjectKey: string,
      issuerKey: string,
      since: number,
      testTime: number | null,
      from: number,
      to: number,
    ]
  >(
    `SELECT s.session_key FROM ${this.dialect.table('auth_session')} s WHERE s.session_key = ?1 ` +
      `AND s.ended_at IS NULL AND COALESCE(?5, ${this.dialect.now}) BETWEEN ?6 AND ?7 ` +
      `AND NOT EXISTS (SELECT 1 FROM ${this.dialect.table('auth_subject')} a ` +
      `WHERE a.subject_key IN (?2, ?3) AND (a.kills_below > ?4 OR a.disabled_at IS NOT NULL ` +
      `OR a.locked_until > COALESCE(?5, ${this.dialect.now}) ` +
      `OR s.gen < CASE WHEN s.session_key = a.except_key THEN a.spared_below ELSE a.kills_below END))`,
    'hex',
    'hex',
    'hex',
    'plain',
    'plain',
    'plain',
    'plain',
  );

  /**
   * An account that has no lock and no cut-off above the position, and fewer sessions than `few` that have
   * not ended.
   *
   * @param most - 1, or 0 where it may have any number.
   */
  readonly accountIsFree = this.prepare<
    [subjectKey: string, issuerKey: string, since: number, most: number, few: number]
  >(
    `SELECT one FROM (SELECT 1 AS one) o WHERE NOT EXISTS (SELECT 1 FROM ${this.dialect.table('auth_subject')} a ` +
      `WHERE a.subject_key IN (?1, ?2) AND (a.kills_below > ?3 ` +
      `OR a.locked_until IS NOT NULL OR a.disabled_at IS NOT NULL)) ` +
      `AND NOT EXISTS (SELECT 1 FROM (SELECT s.sid FROM ${this.dialect.table('auth_session')} s ` +
      `WHERE s.subject_key = ?1 AND s.ended_at IS NULL LIMIT ?4 OFFSET ?5) enough)`,
    'hex',
    'hex',
    'plain',
    'plain',
    'plain',
  );

  /** One after the other; `false` where nothing was changed. */
  *inSteps({ lock, given, change, others, sweeps }: AllOrNothing): Transaction<boolean> {
    if (lock !== undefined && this.dialect.forUpdate !== '') yield lock;
    if ((yield given).rows.length === 0 || (yield change).affected !== 1) return false;
    yield* writeEach(others);
    for (const statement of sweeps) yield statement;
    return true;
  }

  /**
   * One statement. It gives one row, `{ allowed, changed }`: both `'1'` where everything was done.
   *
   * @param name - Says which statements these are. Of one name and number they always have the same texts.
   */
  asOne(
    { settingsAllow }: OneStatement,
    name: string,
    { given, change, others, sweeps }: AllOrNothing,
  ): Statement {
    const parts = [given, change, ...others, ...sweeps];
    const id = `${name}_${parts.length}`;
    let text = this.kept.get(id);
    if (text === undefined) {
      const sql = this.join(settingsAllow, parts, others.length);
      this.kept.set(id, (text = { sql, name: planName(id, sql) }));
    }
    return { ...text, values: parts.flatMap(({ values }) => values) };
  }

  /** @param counted - Of how many parts behind the change the rows are counted. */
  private join(settingsAllow: string, parts: readonly Statement[], counted: number): string {
    let before = 0;
    const [given = '', change = '', ...others] = parts.map(({ sql, values }) => {
      const shift = before;
      before += values.length;
      return sql.replaceAll(/\$(\d+)/g, (_, place: string) => `$${Number(place) + shift}`);
    });
    const isWhole = others
      .slice(0, counted)
      .map((_, index) => `(SELECT COUNT(*) FROM other${index}) = changed.count AND `)
      .join('');
    const { text } = this.dialect;
    return (
      `WITH allowed AS (SELECT 1 WHERE ${settingsAllow}), ` +
      `given AS (${given} AND EXISTS (SELECT FROM allowed) FOR UPDATE SKIP LOCKED), ` +
      `changed AS (${onlyIf('EXISTS (SELECT FROM given)', change)} RETURNING 1)` +
      others
        .map((other, index) => {
          const returning = index < counted ? ' RETURNING 1' : '';
          return `, other${index} AS (${onlyIf(CHANGED, other)}${returning})`;
        })
        .join('') +
      ` SELECT ${text('(SELECT COUNT(*) FROM allowed)')} AS allowed, ` +
      // A text that is no number fails, and the server's message has it.
      `${text(`CASE WHEN ${isWhole}TRUE THEN ${text('changed.count')} ELSE '${LEFT_OUT}' END::bigint`)} AS changed ` +
      `FROM (SELECT COUNT(*) FROM changed) changed`
    );
  }
}

/** An INSERT of rows that are selected has no condition yet, and says behind it what a conflict does. */
function onlyIf(condition: string, sql: string): string {
  if (!sql.startsWith('INSERT')) return `${sql} AND ${condition}`;
  const [insert = '', conflict] = sql.split(' ON CONFLICT ');
  const otherwise = conflict === undefined ? '' : ` ON CONFLICT ${conflict}`;
  return `${insert} WHERE ${condition}${otherwise}`;
}
