import { createHash } from 'node:crypto';
import type { Dialect } from './dialect.js';
import type { Column } from './entities/table.js';

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

/** A statement whose text is kept: each call writes its values. */
export type Prepared<V extends readonly unknown[]> = (...values: V) => Statement;

/** A placeholder: from which argument its value comes, or from which property of that, and how. */
export interface Slot {
  readonly argument: number;
  readonly property?: string;
  /** For the error, should the value be missing. */
  readonly name: string;
  readonly isList?: boolean;
  readonly write: (value: never) => SqlValue;
}

/** Texts for longer lists are made anew each time: such lists are rare, and of any length. */
const LONGEST_KEPT = 100;

/**
 * Makes the function of a statement. Its text is made at once, or once for each length of its list.
 *
 * @param sql - With `?` for the slots in their order, or `?2` for the second wherever it is. One slot may
 * be a list.
 */
export function prepared<V extends readonly unknown[]>(
  dialect: Dialect,
  sql: string,
  slots: readonly Slot[],
): Prepared<V> {
  const parts = sql.split(/\?(\d*)/);
  const texts = parts.filter((_, index) => index % 2 === 0);
  const order = parts
    .filter((_, index) => index % 2 === 1)
    .map((number, index) => slots[number === '' ? index : Number(number) - 1] as Slot);
  const kept: string[] = [];
  const textFor = (count: number): string => {
    // Every placeholder but the list takes one value.
    const listed = count - order.filter(({ isList }) => isList !== true).length;
    let place = 0;
    const placeholders = order.map(({ isList }) =>
      Array.from({ length: isList === true ? listed : 1 }, () => dialect.placeholder(++place)),
    );
    return texts.map((text, index) => text + (placeholders[index]?.join(', ') ?? '')).join('');
  };
  return function statement(...given) {
    const values: SqlValue[] = [];
    for (const slot of order) {
      const argument = given[slot.argument];
      if (slot.isList === true) {
        for (const each of argument as readonly unknown[]) values.push(valueOf(slot, each));
      } else if (slot.property === undefined) values.push(valueOf(slot, argument));
      else values.push(valueOf(slot, (argument as Record<string, unknown>)[slot.property]));
    }
    const count = values.length;
    const text = kept[count] ?? textFor(count);
    if (count <= LONGEST_KEPT) kept[count] = text;
    return { sql: text, values };
  };
}

/**
 * Makes the function that inserts rows.
 *
 * @param make - The text for a number of rows.
 */
export function insertion<T extends object>(
  dialect: Dialect,
  columns: readonly Column[],
  make: (rows: number) => string,
): Prepared<T[]> {
  const { insertsColumns } = dialect;
  const kept: string[] = [];
  return function insert(...rows) {
    const count = insertsColumns ? 1 : rows.length;
    const sql = kept[count] ?? spelled(dialect, make(count));
    if (count <= LONGEST_KEPT) kept[count] = sql;
    const values = insertsColumns
      ? columns.map((column) => rows.map((row) => columnValue(row, column)))
      : rows.flatMap((row) => columns.map((column) => columnValue(row, column)));
    return { sql, values };
  };
}

/** A statement of a text with `?`, which is not kept. */
export function statementOf(
  dialect: Dialect,
  sql: string,
  values: readonly SqlValue[] = [],
): Statement {
  return { sql: spelled(dialect, sql), values };
}

/**
 * Under which a connection keeps the plan of a text. Another release may share a server's connection
 * behind a pooler: one name, one text.
 */
export function planName(id: string, sql: string): string {
  return `nestjs_logout_${id}_${createHash('sha256').update(sql).digest('hex').slice(0, 16)}`;
}

/** The same statement under a name, by which a connection keeps its plan. */
export function named<V extends readonly unknown[]>(id: string, make: Prepared<V>): Prepared<V> {
  let name: string | undefined;
  return function kept(...values) {
    const statement = make(...values);
    name ??= planName(id, statement.sql);
    return { ...statement, name };
  };
}

/** The value of one column of a row, as a placeholder takes it. */
export function columnValue(
  row: object,
  { property, write }: Column,
): string | number | Buffer | null {
  return write((row as Readonly<Record<string, never>>)[property] as never);
}

/** Hexadecimal digits as the bytes of a binary column. */
export function bytesOf(hex: string | null): Buffer | null {
  return hex === null ? null : Buffer.from(hex, 'hex');
}

/** A value that needs no change. */
export function itself<V>(value: V): V {
  return value;
}

/** @throws Error for a value that is undefined: a condition must never mean every row. */
function valueOf({ name, write }: Slot, value: unknown): SqlValue {
  if (value === undefined) throw new Error(`The value for ${name} is undefined.`);
  return write(value as never);
}

/** `?` placeholders in the database's own spelling. */
function spelled(dialect: Dialect, sql: string): string {
  let place = 0;
  return sql.replaceAll('?', () => dialect.placeholder(++place));
}
