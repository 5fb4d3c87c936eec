import type { AuthTable, Column, ColumnKind } from './entities/table.js';
import type { Statement, StatementResult } from './statement.js';

/** A column as it is written: its name and what it holds. */
export type ColumnType = Pick<Column, 'name' | 'kind'>;

/** An index, as the migrations make it. */
export interface Index {
  readonly name: string;
  readonly table: AuthTable;
  readonly columns: string;
  readonly unique?: true;
}

/** What a failed statement means for the transaction that it stood in. */
export type FailureKind =
  /** A lock, deadlock or serialisation conflict: rolled back, the same events can be tried again. */
  | 'conflict'
  /** The connection went away: before COMMIT nothing happened, at COMMIT it is unknown. */
  | 'connection'
  /** Anything else: rolled back, and it would fail again. */
  | 'permanent';

/** How one statement can be a whole transaction: it locks, raises the head and inserts. */
export interface OneStatement {
  /** A condition: whether the settings are those of `begin`. It also limits the waiting for locks. */
  readonly settingsAllow: string;
  /** Sends it on the driver's own connection, under its name where that is possible. */
  readonly run: (connection: unknown, statement: Statement) => Promise<StatementResult>;
  /** Whether this error of the server says that the statement did nothing. */
  readonly isUndone: (error: unknown) => boolean;
}

/** Everything in which the databases differ; one file each has all of it. */
export interface Dialect {
  readonly name: 'postgres' | 'mysql' | 'sqlite';
  /** The SQL type of each kind of column. */
  readonly types: Readonly<Record<ColumnKind, string>>;
  /** What follows the columns in CREATE TABLE. */
  readonly tableOptions: string;
  /** Whether ADD COLUMN may say IF NOT EXISTS; else a second run fails and {@link isThereAlready} is true. */
  readonly canAddIfMissing: boolean;
  /** Makes an index, unless it is there already where the database can say so. */
  createIndex(index: Index): string;
  dropIndex(index: Index): string;
  /** Whether an error says that what was to be made is there. */
  isThereAlready(error: unknown): boolean;
  /** Whether an error says that the role lacks a privilege. */
  isDenied(error: unknown): boolean;
  /** A column of `auth_event` that whoever locks its rows must be allowed to update; else `undefined`. */
  readonly lockingColumn?: string;
  /** Whether there are roles to which privileges can be granted. */
  readonly hasRoles: boolean;
  /** Statements that keep other processes from making the tables at the same time. */
  readonly migrationLock: {
    readonly take: readonly string[];
    readonly release: string;
    /** After a failure; absent where statements that make tables cannot be taken back. */
    readonly undo?: string;
  };
  /** An expression: the database's own time in epoch milliseconds. */
  readonly now: string;
  /**
   * An expression: which server this is, so that a promoted server differs from the one before (H2); a
   * text, or NULL where a database has no such identity.
   */
  readonly server: string;
  /** An expression: 1 on a server that cannot be written to, a standby or a replica; else 0. */
  readonly isReadOnly: string;
  /**
   * Behind a table's name: the index that serves the order of a page. Without it MariaDB and SQLite may
   * choose another index that finds as few rows, and then sort them all. PostgreSQL needs no hint.
   */
  ordered(index: string): string;
  /**
   * A first member of ORDER BY for a column that IS NULL, as in `ended_at DESC, `. PostgreSQL takes the
   * order of the columns behind it from the index only with it, and MariaDB only without it.
   */
  behindNull(column: string, order: 'ASC' | 'DESC'): string;
  /** Makes a SELECT take the row lock; empty where a write transaction excludes all others. */
  readonly forUpdate: string;
  /** Opens a transaction: READ COMMITTED, durable, with a limit on waiting for locks. */
  readonly begin: readonly string[];
  /**
   * {@link begin} and a first statement without values in one round trip, on the driver's own
   * connection; absent where the driver sends one statement at a time.
   */
  readonly openWith?: (connection: unknown, sql: string) => Promise<StatementResult>;
  /**
   * Makes one text of an UPDATE and an INSERT that inserts nothing unless the UPDATE changed a row; its
   * values are those of both. Absent where the database cannot, and with {@link insertsColumns} only, so
   * that the text is the same for any number of rows.
   */
  readonly insertAfter?: (update: Statement, insert: Statement) => string;
  /** Absent where a transaction takes several statements. */
  readonly oneStatement?: OneStatement;
  /** Said once to each new connection. */
  readonly prepareConnection: readonly string[];
  /** The name of one of our tables or indexes with the `tablePrefix` before it, neither quoted nor qualified. */
  prefixed(name: string): string;
  /** A name that is quoted and, where there are schemas, qualified. */
  qualified(name: string): string;
  /** The same of one of our tables, with the prefix. */
  table(name: AuthTable): string;
  /** An expression as text, whatever type parsers the application has set. */
  text(expression: string): string;
  /** A binary column as lower-case hex digits. */
  hex(column: string): string;
  /**
   * An aggregate: the texts of all rows in their order, each followed by a comma. Absent where that takes
   * the server longer than it saves the driver: on MariaDB three times as long as the rows.
   */
  list?(text: string): string;
  /** The placeholder of a value by its place, from 1. */
  placeholder(place: number): string;
  /** Whether an INSERT takes one array per column instead of the values row by row. */
  readonly insertsColumns: boolean;
  /** Several rows in one statement; `columns` are written in this order. */
  insert(table: AuthTable, columns: readonly ColumnType[], rows: number): string;
  /** The same, of the rows whose key is not there yet: an attempt that may have been made before. */
  insertMissing(table: AuthTable, columns: readonly ColumnType[], rows: number): string;
  /**
   * `UPDATE table SET … WHERE …`, both with numbered placeholders (`?1`), that takes its row locks in the
   * order of `key`, so that two of them never wait for each other.
   */
  updateInOrder(table: AuthTable, key: string, set: string, where: string): string;
  /** Lists our tables and indexes as rows `{ name }`. */
  readonly existing: Statement;
  /** Lists the columns of these tables or views as rows `{ table_name, column_name }`. */
  columnsOf(tables: readonly string[]): Statement;
  /** Deletes so many pending rows by their ids, and does not wait for uncommitted rows of others. */
  deletePending(count: number): string;
  failure(error: unknown): FailureKind;
}

/** What most databases have in common; each dialect writes over it where its own differs. */
export function standardDialect(qualified: (name: string) => string, tablePrefix: string) {
  const prefixed = (name: string): string => `${tablePrefix}${name}`;
  const table = (name: AuthTable): string => qualified(prefixed(name));
  return {
    tableOptions: '',
    canAddIfMissing: false,
    createIndex: ({ name, unique, table: on, columns }) =>
      `CREATE ${unique === true ? 'UNIQUE ' : ''}INDEX IF NOT EXISTS ${prefixed(name)} ON ${table(on)} (${columns})`,
    // An index is in the schema of its table, and is qualified like one.
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
