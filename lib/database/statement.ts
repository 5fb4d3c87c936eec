/** One SQL statement with the values for its placeholders. */
export interface Statement {
  readonly sql: string;
  readonly values: readonly SqlValue[];
  /** Under which a connection keeps its plan, where the driver can name one. */
  readonly name?: string;
}

/** What a placeholder can carry on all three databases. */
export type SqlValue =
  string | number | Buffer | null | readonly (string | number | Buffer | null)[];

/** A row as every dialect returns it: each column was selected as text, so no driver setting bends it. */
export type Row = Readonly<Record<string, string | null>>;

/** The answer to one {@link Statement}. */
export interface StatementResult {
  readonly rows: readonly Row[];
  /** Rows changed by an INSERT, UPDATE or DELETE. */
  readonly affected: number;
}

/**
 * The body of a transaction: it yields statements and receives their results, so that the same text
 * is driven synchronously on SQLite and asynchronously elsewhere. Nothing can be awaited inside.
 */
export type Transaction<T> = Generator<Statement, T, StatementResult>;
