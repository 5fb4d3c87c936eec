import type { AuthTable, Column, ColumnKind } from './entities/table.js';
import type { Statement, StatementResult } from './statement.js';

/** The name and the kind of a column. */
export type ColumnType = Pick<Column, 'name' | 'kind'>;

/** An index that a migration creates. */
export interface Index {
  readonly name: string;
  readonly table: AuthTable;
  readonly columns: string;
  readonly unique?: true;
}

/** What a failed statement means for its transaction. */
export type FailureKind =
  /** A lock timeout, a deadlock or a serialization conflict. It was rolled back, and can be tried again. */
  | 'conflict'
  /** The connection is lost. Before COMMIT nothing was written; at COMMIT the outcome is unknown. */
  | 'connection'
  /** Anything else. It was rolled back, and would fail again. */
  | 'permanent';

/** How a whole transaction can be one statement that locks, raises the head and inserts. */
export interface OneStatement {
  /** A condition: the settings of the connection are those of `begin`. It also sets the lock timeout. */
  readonly settingsAllow: string;
  /** Sends the statement on the driver's own connection, with its plan name if that is possible. */
  readonly run: (connection: unknown, statement: Statement) => Promise<StatementResult>;
  /** Whether this error of the server proves that the statement wrote nothing. */
  readonly isUndone: (error: unknown) => boolean;
}

/** Everything in which the databases differ. Each database has one file that implements it. */
export interface Dialect {
  readonly name: 'postgres' | 'mysql' | 'sqlite';
  /** The SQL type of each kind of column. */
  readonly types: Readonly<Record<ColumnKind, string>>;
  /** What follows the columns in CREATE TABLE. */
  readonly tableOptions: string;
  /** Whether ADD COLUMN supports IF NOT EXISTS. If not, a second run fails with {@link isThereAlready}. */
  readonly canAddIfMissing: boolean;
  /** Creates an index, with IF NOT EXISTS if the database supports it. */
  createIndex(index: Index): string;
  dropIndex(index: Index): string;
  /** Whether the error means that the object exists already. */
  isThereAlready(error: unknown): boolean;
  /** Whether the error means that the role lacks a privilege. */
  isDenied(error: unknown): boolean;
  /** A column of `auth_event` that a role must be allowed to update so that it can lock rows. */
  readonly lockingColumn?: string;
  /** Whether the database has roles with privileges. */
  readonly hasRoles: boolean;
  /** Statements that prevent two processes from creating the tables at the same time. */
  readonly migrationLock: {
    readonly take: readonly string[];
    readonly release: string;
    /** Rolls back after a failure; absent if the database cannot roll back CREATE TABLE. */
    readonly undo?: string;
  };
  /** An expression: the database's own time in epoch milliseconds. */
  readonly now: string;
  /**
   * An expression: the identity of the server as text, or NULL if the database has none. A promoted server
   * has another identity than the primary before it (H2).
   */
  readonly server: string;
  /** An expression: 1 on a server that refuses writes (a standby or a replica), otherwise 0. */
  readonly isReadOnly: string;
  /**
   * Follows a table's name and forces the index that has the order of a page. Without it, MariaDB and SQLite
   * may choose another index and then sort all rows. PostgreSQL needs no such hint.
   */
  ordered(index: string): string;
  /**
   * The first term of ORDER BY for a column that is NULL in all rows, such as `ended_at DESC, `. PostgreSQL
   * uses the order of the next columns of the index only with this term, and MariaDB only without it.
   */
  behindNull(column: string, order: 'ASC' | 'DESC'): string;
  /** Makes a SELECT lock its rows; empty if a write transaction excludes all others anyway. */
  readonly forUpdate: string;
  /** Opens a transaction: READ COMMITTED, durable, with a lock timeout. */
  readonly begin: readonly string[];
  /**
   * Sends {@link begin} and a first statement without values in one round trip, on the driver's own
   * connection; absent if the driver sends one statement at a time.
   */
  readonly openWith?: (connection: unknown, sql: string) => Promise<StatementResult>;
  /**
   * Joins an UPDATE and an INSERT to one statement, which inserts only if the UPDATE changed a row. The
   * values are those of the UPDATE, then those of the INSERT. It needs {@link insertsColumns}, so that the
   * text is the same for any number of rows. Absent if the database cannot do it.
   */
  readonly insertAfter?: (update: Statement, insert: Statement) => string;
  /** Absent if a transaction needs several statements. */
  readonly oneStatement?: OneStatement;
  /** Statements for each new connection. */
  readonly prepareConnection: readonly string[];
  /** The name of a table or index with the `tablePrefix`, neither quoted nor qualified. */
  prefixed(name: string): string;
  /** A name that is quoted and, if the database has schemas, qualified. */
  qualified(name: string): string;
  /** The qualified name of one of our tables, with the prefix. */
  table(name: AuthTable): string;
  /** Casts an expression to text, so that type parsers of the application do not change it. */
  text(expression: string): string;
  /** A binary column as lower-case hexadecimal digits. */
  hex(column: string): string;
  /**
   * An aggregate of the texts of all rows in their order, each followed by a comma. Absent if it costs the
   * server more than it saves the driver; on MariaDB it takes three times as long as the rows.
   */
  list?(text: string): string;
  /** The placeholder of the value at this place, from 1. */
  placeholder(place: number): string;
  /** Whether an INSERT takes one array for each column instead of the values of each row. */
  readonly insertsColumns: boolean;
  /** Inserts several rows. The values have the order of `columns`. */
  insert(table: AuthTable, columns: readonly ColumnType[], rows: number): string;
  /** Inserts only rows whose key does not exist, because an earlier attempt may have inserted them. */
  insertMissing(table: AuthTable, columns: readonly ColumnType[], rows: number): string;
  /**
   * An UPDATE that takes its row locks in the order of `key`, so that two of them cannot deadlock. `set` and
   * `where` have numbered placeholders (`?1`).
   */
  updateInOrder(table: AuthTable, key: string, set: string, where: string): string;
  /** Lists our tables and indexes as rows `{ name }`. */
  readonly existing: Statement;
  /** Lists the columns of these tables or views as rows `{ table_name, column_name }`. */
  columnsOf(tables: readonly string[]): Statement;
  /** Deletes this many pending rows by id, without waiting for uncommitted rows of other transactions. */
  deletePending(count: number): string;
  /** What the error of a statement means for its transaction. */
  failure(error: unknown): FailureKind;
}

/** What most databases have in common. Each dialect overrides the members that differ. */
export function standardDialect(qualified: (name: string) => string, tablePrefix: string) {
  const prefixed = (name: string): string => `${tablePrefix}${name}`;
  const table = (name: AuthTable): string => qualified(prefixed(name));
  return {
    tableOptions: '',
    canAddIfMissing: false,
    createIndex: ({ name, unique, table: on, columns }) =>
      `CREATE ${unique === true ? 'UNIQUE ' : ''}INDEX IF NOT EXISTS ${prefixed(name)} ON ${table(on)} (${columns})`,
    // An index is in the schema of its table, so it is qualified like a table.
    dropIndex: ({ name }) => `DROP INDEX IF EXISTS ${qualified(prefixed(name))}`,
    hasRoles: true,
    ordered: () => '',
    behindNull: () => '',
    forUpdate: ' FOR UPDATE',
    prepareConnection: [],
    prefixed,
    qualified,
    table,
    placeholder: () => '?',
    insertsColumns: false,
    insert: (name, columns, rows) => {
      const row = `(${columns.map(() => '?').join(', ')})`;
      return (
        `INSERT INTO ${table(name)} (${columns.map((column) => column.name).join(', ')}) VALUES ` +
        Array(rows).fill(row).join(', ')
      );
    },
    deletePending: (count) =>
      `DELETE FROM ${table('auth_pending')} WHERE event_id IN (${Array(count).fill('?').join(', ')})`,
  } satisfies Partial<Dialect>;
}
