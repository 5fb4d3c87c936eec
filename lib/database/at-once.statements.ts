import type { OneStatement } from './dialect.js';
import { StorageFailure } from './log-database.js';
import { planName, type Statement, type Transaction } from './statement.js';
import { Statements } from './statement-repository.js';

/** Statements that are executed together: all of them, or none. */
export interface AllOrNothing {
  /**
   * Runs first if there are several statements and the database has row locks. The statements after it then
   * see what another transaction has committed in the meantime.
   */
  readonly lock?: Statement;
  /** A SELECT that ends with a condition. It has a row if what was read before is still true. */
  readonly given: Statement;
  /** Changes one row. If it changes none, nothing else is changed. */
  readonly change: Statement;
  /** Each of them changes one row. If one does not, everything fails. */
  readonly others: readonly Statement[];
  /** They change any number of rows. */
  readonly sweeps: readonly Statement[];
}

const CHANGED = 'EXISTS (SELECT FROM changed)';

/** The message if a login or a refresh could not be stored completely, so that nothing is committed. */
const LEFT_OUT = 'A row of a session was not written.';

/** Runs statements that write one row each, and fails if one does not: a trigger may suppress a row. */
export function* writeEach(statements: readonly Statement[]): Transaction<void> {
  for (const statement of statements) {
    if ((yield statement).affected !== 1) throw new StorageFailure('rolled back', LEFT_OUT, false);
  }
}

/**
 * Starts and refreshes sessions, if what was read before is still true (G1). It is one transaction, and one
 * statement if the database can do that.
 *
 * The parts of one statement share one snapshot, and SQL gives them no order. Each part needs a row of the
 * part before: `allowed` (the settings are those of our transactions), `given`, `changed`, and then the
 * others. `given` locks its row and skips a locked one, because after a wait its snapshot would be out of
 * date.
 */
export class AtOnceStatements extends Statements {
  private readonly kept = new Map<string, { readonly sql: string; readonly name: string }>();

  /**
   * Has a row if the session may continue: its account has no lock, no watermark of account or issuer revokes
   * it or is above the position, and the database's time is between `from` and `to`.
   *
   * Watermarks are compared with the session itself, not with an earlier read: a revocation that is settled
   * late sets a lock or a watermark below the highest one (G3).
   *
   * @param testTime - The time of a test's clock instead of the database's; `null`: the database's time.
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
   * Has a row if the account may start a session: it has no lock, no watermark above the position, and at
   * most `few` open sessions.
   *
   * @param most - 1, or 0 if it may have any number of sessions.
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

  /** Runs the statements one after the other. `false` if nothing was changed. */
  *inSteps({ lock, given, change, others, sweeps }: AllOrNothing): Transaction<boolean> {
    if (lock !== undefined && this.dialect.forUpdate !== '') yield lock;
    if ((yield given).rows.length === 0 || (yield change).affected !== 1) return false;
    yield* writeEach(others);
    for (const statement of sweeps) yield statement;
    return true;
  }

  /**
   * Joins the statements to one. Its result is one row `{ allowed, changed }`; both are `'1'` if all was
   * done.
   *
   * @param name - The name of the plan. With the same name and number of statements, the texts must be the
   * same.
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

  /** @param counted - How many statements after `change` must change one row each. */
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
      // A cast of a text that is not a number fails, with the text in the server's message.
      `${text(`CASE WHEN ${isWhole}TRUE THEN ${text('changed.count')} ELSE '${LEFT_OUT}' END::bigint`)} AS changed ` +
      `FROM (SELECT COUNT(*) FROM changed) changed`
    );
  }
}

/** Adds a condition to a statement. Our INSERT … SELECT has no WHERE yet, and may end with ON CONFLICT. */
function onlyIf(condition: string, sql: string): string {
  if (!sql.startsWith('INSERT')) return `${sql} AND ${condition}`;
  const [insert = '', conflict] = sql.split(' ON CONFLICT ');
  const otherwise = conflict === undefined ? '' : ` ON CONFLICT ${conflict}`;
  return `${insert} WHERE ${condition}${otherwise}`;
}
