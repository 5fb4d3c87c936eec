import type { Dialect } from './dialect.js';
import { type Column, columnsOf, type EntityClass, tableOf } from './entities/table.js';
import {
  bytesOf,
  insertion,
  itself,
  type Prepared,
  prepared,
  type Slot,
  type SqlValue,
  type Statement,
  statementOf,
} from './statement.js';

type Name<T> = keyof T & string;

/**
 * A condition on a column, by the name of its property. `'key'` (equal), `'key IN'`, `'key <'`, `'key <='`
 * and `'key >'` take a value. Any other text after the name is SQL without a value, such as `'endedAt IS
 * NULL'`.
 */
type Condition<T> = Name<T> | `${Name<T>} ${string}`;

/** The value of a condition, if it has one. */
type ConditionValue<T, C> =
  C extends Name<T>
    ? [value: T[C]]
    : C extends `${infer P extends Name<T>} IN`
      ? [values: readonly NonNullable<T[P]>[]]
      : C extends `${infer P extends Name<T>} ${'<' | '<=' | '>'}`
        ? [limit: NonNullable<T[P]>]
        : [];

type ConditionValues<T, W extends readonly unknown[]> = W extends readonly [infer C, ...infer Rest]
  ? [...ConditionValue<T, C>, ...ConditionValues<T, Rest>]
  : [];

/** A column that an UPDATE sets: to a value, or to SQL with `?` for the value (`'ip = COALESCE(?, ip)'`). */
type Change<T> = Name<T> | `${Name<T>} = ${string}`;

/** The properties that take a value. */
type Changed<T, S extends readonly Change<T>[]> = {
  [I in keyof S]: S[I] extends Name<T>
    ? S[I]
    : S[I] extends `${infer P extends Name<T>} = ${string}?${string}`
      ? P
      : never;
}[number];

type ChangeValues<T, P extends keyof T> = [P] extends [never]
  ? []
  : [changes: Readonly<Pick<T, P>>];

interface FindOptions<T> {
  /** @default all columns */
  readonly only?: readonly (keyof T)[];
  readonly orderBy?: Name<T>;
  /** Locks the rows. */
  readonly lock?: true;
}

/** How a value of a raw statement is written: as it is, hexadecimal digits as bytes, or a list of those. */
type ValueKind = 'plain' | 'hex' | 'hexes';

/** The kind of each value. It may be omitted if all values are numbers. */
type ValueKinds<V extends readonly unknown[]> = V extends readonly number[]
  ? []
  : {
      [I in keyof V]: V[I] extends readonly unknown[]
        ? 'hexes'
        : V[I] extends number
          ? 'plain'
          : 'plain' | 'hex';
    };

/**
 * The base class of statements. Each field of a subclass is one statement, whose text is made once. Calling
 * it returns the text with the values. TypeORM's repositories cannot be used here, because a transaction on
 * SQLite must run synchronously.
 */
export abstract class Statements {
  constructor(readonly dialect: Dialect) {}

  protected table<T extends object>(entity: EntityClass<T>): StatementRepository<T> {
    return new StatementRepository(this.dialect, entity);
  }

  /**
   * Makes a statement from raw SQL, for what {@link StatementRepository} cannot make. `?` is the next
   * value, and `?2` always the second one. One value may be a list.
   */
  protected prepare<V extends readonly unknown[]>(
    sql: string,
    ...kinds: ValueKinds<V>
  ): Prepared<V> {
    const given: readonly ValueKind[] =
      kinds.length > 0 ? kinds : Array.from(sql.matchAll(/\?/g), () => 'plain');
    const slots = given.map((kind, argument) => ({
      argument,
      name: `value ${argument + 1} of ${sql}`,
      isList: kind === 'hexes',
      write: kind === 'plain' ? itself : bytesOf,
    }));
    return prepared<V>(this.dialect, sql, slots);
  }

  /** A statement whose text depends on its values, so that the text is not kept. */
  protected once(sql: string, values: readonly SqlValue[] = []): Statement {
    return statementOf(this.dialect, sql, values);
  }
}

/**
 * Makes the simple statements on one table from its class, as a TypeORM repository would.
 *
 * WHERE and ORDER BY qualify every column. Without that, PostgreSQL would sort by the selected expression
 * of the same name, which is the column as text, and could not use an index.
 */
export class StatementRepository<T extends object> {
  readonly table: string;
  private readonly columns: readonly Column[];

  constructor(
    private readonly dialect: Dialect,
    private readonly entity: EntityClass<T>,
  ) {
    this.table = dialect.table(tableOf(entity).name);
    this.columns = columnsOf(entity);
  }

  /** All columns for a SELECT, or only some. Each is selected as text, under its name with the prefix. */
  select(alias: string, only?: readonly (keyof T)[], prefix = ''): string {
    const columns = only === undefined ? this.columns : columnsOf(this.entity, only);
    return columns.map((column) => selected(this.dialect, column, alias, prefix)).join(', ');
  }

  /** Columns of all rows of a subquery, each column as one list. NULL is an empty text in it. */
  lists(alias: string, only: readonly (keyof T)[], list: (text: string) => string): string {
    return columnsOf(this.entity, only)
      .map((column) => {
        const text = textOf(this.dialect, column, alias);
        return `${list(column.isNullable ? `COALESCE(${text}, '')` : text)} AS ${column.as}`;
      })
      .join(', ');
  }

  /** A SELECT with these conditions, joined with AND. */
  find<const W extends readonly Condition<T>[]>(
    where: W,
    options: FindOptions<T> = {},
  ): Prepared<ConditionValues<T, W>> {
    const { condition, slots } = this.where(where, 't.');
    const { forUpdate } = this.dialect;
    const sql = `${this.selection(options)}${condition}${this.order(options)}${options.lock === true ? forUpdate : ''}`;
    return prepared(this.dialect, sql, slots);
  }

  /** Like {@link find}, with a limit as the last value. */
  findSome<const W extends readonly Condition<T>[]>(
    where: W,
    options: FindOptions<T> = {},
  ): Prepared<[...ConditionValues<T, W>, limit: number]> {
    const { condition, slots } = this.where(where, 't.');
    const sql = `${this.selection(options)}${condition}${this.order(options)} LIMIT ?`;
    const limit = { argument: slots.length, name: 'LIMIT', write: itself };
    return prepared(this.dialect, sql, [...slots, limit]);
  }

  insert(): Prepared<T[]> {
    return insertion(this.dialect, this.columns, (rows) =>
      this.dialect.insert(tableOf(this.entity).name, this.columns, rows),
    );
  }

  /** Inserts only rows whose key does not exist, because an earlier attempt may have inserted them. */
  insertMissing(): Prepared<T[]> {
    return insertion(this.dialect, this.columns, (rows) =>
      this.dialect.insertMissing(tableOf(this.entity).name, this.columns, rows),
    );
  }

  /** An UPDATE. It is called with the values of the conditions, then with the changes as one object. */
  update<const W extends readonly Condition<T>[], const S extends readonly Change<T>[]>(
    where: W,
    set: S,
  ): Prepared<[...ConditionValues<T, W>, ...ChangeValues<T, Changed<T, S>>]> {
    const { condition, slots } = this.where(where);
    const argument = slots.length;
    const changes: Slot[] = [];
    const assigned = set.map((change) => {
      const { property, name, write, rest = '= ?' } = this.named(change);
      const slot = { argument, property, name: `${this.table}.${name}`, write };
      if (rest.includes('?')) changes.push(slot);
      return `${name} ${rest}`;
    });
    return prepared(this.dialect, `UPDATE ${this.table} SET ${assigned.join(', ')}${condition}`, [
      ...changes,
      ...slots,
    ]);
  }

  delete<const W extends readonly Condition<T>[]>(where: W): Prepared<ConditionValues<T, W>> {
    const { condition, slots } = this.where(where);
    return prepared(this.dialect, `DELETE FROM ${this.table}${condition}`, slots);
  }

  private selection({ only }: FindOptions<T>): string {
    return `SELECT ${this.select('t', only)} FROM ${this.table} t`;
  }

  private order({ orderBy }: FindOptions<T>): string {
    return orderBy === undefined ? '' : ` ORDER BY t.${this.named(orderBy).name}`;
  }

  /** The column of a property, and the SQL after the property's name. */
  private named(text: string): Column & { readonly rest: string | undefined } {
    const [property = '', rest] = text.split(/ (.*)/);
    const column = this.columns.find((declared) => declared.property === property);
    if (column === undefined) throw new Error(`${this.table} has no ${property}.`);
    return { ...column, rest };
  }

  /** @throws Error without a condition, so that no statement can affect every row by mistake. */
  private where(
    where: readonly Condition<T>[],
    alias = '',
  ): { readonly condition: string; readonly slots: readonly Slot[] } {
    if (where.length === 0) throw new Error(`Every row of ${this.table} was asked for.`);
    const slots: Slot[] = [];
    const parts = where.map((each) => {
      const { name, write, rest = '=' } = this.named(each);
      const condition = `${alias}${name} ${rest}`;
      const isList = rest === 'IN';
      if (!isList && !/^[<=>]+$/.test(rest)) return condition;
      slots.push({ argument: slots.length, name: `${this.table}.${name}`, isList, write });
      return `${condition} ${isList ? '(?)' : '?'}`;
    });
    return { condition: ` WHERE ${parts.join(' AND ')}`, slots };
  }
}

/**
 * One column in a SELECT. It is selected as text, so that type parsers of the application do not change it.
 */
export function selected(dialect: Dialect, column: Column, alias: string, prefix = ''): string {
  return `${textOf(dialect, column, alias)} AS ${prefix}${column.as}`;
}

function textOf(dialect: Dialect, { name, kind }: Column, alias: string): string {
  const column = `${alias}.${name}`;
  if (kind === 'text' || kind === 'long') return column;
  return kind === 'position' || kind === 'flag' ? dialect.text(column) : dialect.hex(column);
}
