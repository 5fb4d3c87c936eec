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
 * A condition on a column, by the name of its property: `'key'` and `'key IN'` get a value, as `<`, `<=` and
 * `>` do; whatever else follows the name is SQL, as in `'endedAt IS NULL'`.
 */
type Condition<T> = Name<T> | `${Name<T>} ${string}`;

/** What the value of a condition is; some have none. */
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

/** A column that an UPDATE sets: to a value, or to SQL, in which `?` is the value: `'ip = COALESCE(?, ip)'`. */
type Change<T> = Name<T> | `${Name<T>} = ${string}`;

/** The properties that get a value. */
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
  /** Takes the locks of the rows. */
  readonly lock?: true;
}

/** How a value of a raw statement is written: as it is, or hexadecimal digits as bytes; or a list of such. */
type ValueKind = 'plain' | 'hex' | 'hexes';

/** The kind of each value; none where all are numbers. */
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
 * Statements whose texts are made once. A field of a subclass is one statement, and a call of it writes
 * its values. So a transaction can be driven synchronously on SQLite, which no TypeORM repository can.
 */
export abstract class Statements {
  constructor(readonly dialect: Dialect) {}

  protected table<T extends object>(entity: EntityClass<T>): StatementRepository<T> {
    return new StatementRepository(this.dialect, entity);
  }

  /**
   * A statement that the declarations of one table cannot make. `?` is the next value, `?2` the second
   * wherever it stands, and one of them may be a list.
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

  /** A statement whose text depends on its values, so that nothing of it is kept. */
  protected once(sql: string, values: readonly SqlValue[] = []): Statement {
    return statementOf(this.dialect, sql, values);
  }
}

/**
 * Makes the plain statements on one table from the declarations of its class, as a TypeORM repository
 * would.
 *
 * ORDER BY and WHERE qualify every column: PostgreSQL would else sort by what is selected under the same
 * name, which is a text that no index has.
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

  /** All columns, or some, for a SELECT: each as text, under its own name behind a prefix. */
  select(alias: string, only?: readonly (keyof T)[], prefix = ''): string {
    const columns = only === undefined ? this.columns : columnsOf(this.entity, only);
    return columns.map((column) => selected(this.dialect, column, alias, prefix)).join(', ');
  }

  /** Some columns of all rows of a subquery, each as one text; an absent value is empty. */
  lists(alias: string, only: readonly (keyof T)[], list: (text: string) => string): string {
    return columnsOf(this.entity, only)
      .map((column) => {
        const text = textOf(this.dialect, column, alias);
        return `${list(column.isNullable ? `COALESCE(${text}, '')` : text)} AS ${column.as}`;
      })
      .join(', ');
  }

  find<const W extends readonly Condition<T>[]>(
    where: W,
    options: FindOptions<T> = {},
  ): Prepared<ConditionValues<T, W>> {
    const { condition, slots } = this.where(where, 't.');
    const { forUpdate } = this.dialect;
    const sql = `${this.selection(options)}${condition}${this.order(options)}${options.lock === true ? forUpdate : ''}`;
    return prepared(this.dialect, sql, slots);
  }

  /** The same, of which the last value says how many rows at most. */
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

  /** Of the rows whose key is not there yet: an earlier attempt may have inserted them. */
  insertMissing(): Prepared<T[]> {
    return insertion(this.dialect, this.columns, (rows) =>
      this.dialect.insertMissing(tableOf(this.entity).name, this.columns, rows),
    );
  }

  /** Called with the values of the conditions, and then with those of the changes. */
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

  /** The column of a property, and what follows its name. */
  private named(text: string): Column & { readonly rest: string | undefined } {
    const [property = '', rest] = text.split(/ (.*)/);
    const column = this.columns.find((declared) => declared.property === property);
    if (column === undefined) throw new Error(`${this.table} has no ${property}.`);
    return { ...column, rest };
  }

  /** @throws Error without a condition: a statement must never mean every row. */
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

/** One column in a SELECT: as text, whatever type parsers the application has set. */
export function selected(dialect: Dialect, column: Column, alias: string, prefix = ''): string {
  return `${textOf(dialect, column, alias)} AS ${prefix}${column.as}`;
}

function textOf(dialect: Dialect, { name, kind }: Column, alias: string): string {
  const column = `${alias}.${name}`;
  if (kind === 'text' || kind === 'long') return column;
  return kind === 'position' || kind === 'flag' ? dialect.text(column) : dialect.hex(column);
}
