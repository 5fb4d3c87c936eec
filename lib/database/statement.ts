import { createHash } from 'node:crypto';
import type { Dialect } from './dialect.js';
import type { Column } from './entities/table.js';

/** One SQL statement with the values for its placeholders. */
export interface Statement {
  readonly sql: string;
  readonly values: readonly SqlValue[];
  /** The name under which a connection keeps its plan, if the driver supports that. */
  readonly name?: string;
}

/** A value of a placeholder. All three databases support these types. */
export type SqlValue =
  string | number | Buffer | null | readonly (string | number | Buffer | null)[];

/**
 * A row. Every dialect selects each column as text, so that no setting of the driver can change its value.
 */
export type Row = Readonly<Record<string, string | null>>;

/** The result of one {@link Statement}. */
export interface StatementResult {
  readonly rows: readonly Row[];
  /** Rows changed by an INSERT, UPDATE or DELETE. */
  readonly affected: number;
}

/**
 * The body of a transaction: a generator that yields statements and receives their results. The same code
 * runs synchronously on SQLite and asynchronously on other databases. It cannot await anything, so no
 * transaction waits for anything but the database.
 */
export type Transaction<T> = Generator<Statement, T, StatementResult>;

/** A statement whose text is made once. Each call returns it with these values. */
export type Prepared<V extends readonly unknown[]> = (...values: V) => Statement;

/**
 * A placeholder: the argument that its value comes from, or a property of it, and how the value is written.
 */
export interface Slot {
  readonly argument: number;
  readonly property?: string;
  /** The name in the error message if the value is missing. */
  readonly name: string;
  readonly isList?: boolean;
  readonly write: (value: never) => SqlValue;
}

/** Texts for longer lists are not kept, because such lists are rare and have many different lengths. */
const LONGEST_KEPT = 100;

/**
 * Makes the function of a statement. Its text is made once, or once for each length of its list.
 *
 * @param sql - The text, with `?` for the slots in their order, or `?2` for the second slot in any place. One
 * slot may be a list.
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
    // Every placeholder takes one value, except the list.
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
 * @param make - Makes the text for a number of rows.
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

/** A statement whose text, with `?`, is not kept. */
export function statementOf(
  dialect: Dialect,
  sql: string,
  values: readonly SqlValue[] = [],
): Statement {
  return { sql: spelled(dialect, sql), values };
}

/**
 * The name under which a connection keeps the plan of a text. It contains a digest of the text, because
 * behind a pooler another release, with another text, may use the same connection.
 */
export function planName(id: string, sql: string): string {
  return `nestjs_logout_${id}_${createHash('sha256').update(sql).digest('hex').slice(0, 16)}`;
}

/** The same statement with a name, so that a connection keeps its plan. */
export function named<V extends readonly unknown[]>(id: string, make: Prepared<V>): Prepared<V> {
  let name: string | undefined;
  return function kept(...values) {
    const statement = make(...values);
    name ??= planName(id, statement.sql);
    return { ...statement, name };
  };
}

/** The value of a column of an entity, for a placeholder. */
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

/** @throws Error if the value is undefined, so that no condition can match the wrong rows by mistake. */
function valueOf({ name, write }: Slot, value: unknown): SqlValue {
  if (value === undefined) throw new Error(`The value for ${name} is undefined.`);
  return write(value as never);
}

/** Replaces `?` by the placeholders of the database. */
function spelled(dialect: Dialect, sql: string): string {
  let place = 0;
  return sql.replaceAll('?', () => dialect.placeholder(++place));
}
