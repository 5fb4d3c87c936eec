import type { Dialect } from './dialect.js';
import {
  type Column,
  columnsOf,
  type EntityClass,
  placeholders,
  tableOf,
  valuesOf,
} from './entities/table.js';
import type { SqlValue, Statement } from './statement.js';

type Value = string | number | boolean | null;

/** A comparison in a {@link Where}; a plain value means "is equal to", and `null` "has none". */
export class Comparison {
  constructor(
    readonly operator: '<' | '<=' | '>' | 'IN' | 'IS NOT NULL',
    readonly values: readonly Value[],
  ) {}
}

export const lessThan = (value: number): Comparison => new Comparison('<', [value]);
export const atMost = (value: number): Comparison => new Comparison('<=', [value]);
export const moreThan = (value: number | string): Comparison => new Comparison('>', [value]);
export const oneOf = (values: readonly Value[]): Comparison => new Comparison('IN', values);
export const present = (): Comparison => new Comparison('IS NOT NULL', []);

/** An SQL expression as a new value. */
export class Expression {
  constructor(
    readonly sql: string,
    readonly values: readonly SqlValue[] = [],
  ) {}
}

/** Conditions by property, all of which hold; two of one property are a list. */
export type Where<T> = {
  readonly [P in keyof T]?: T[P] | Comparison | readonly Comparison[];
};

/** New values by property. */
export type Changes<T> = { readonly [P in keyof T]?: T[P] | Expression };

/** What {@link StatementRepository.find} can do beside. */
export interface FindOptions<T> {
  /** @default all columns */
  readonly only?: readonly (keyof T)[];
  readonly orderBy?: keyof T;
  readonly limit?: number;
  /** Takes the locks of the rows. */
  readonly lock?: boolean;
}

/**
 * Makes the plain statements on one table from the declarations of its class, as a TypeORM repository
 * would; it returns them instead of running them, so that a transaction can be driven synchronously on
 * SQLite. A repository call for each statement would cost 1.4 to 7 times as much.
 *
 * ORDER BY and WHERE qualify every column: PostgreSQL would else sort by what is selected under the same
 * name, which is a text that no index has.
 */
export class StatementRepository<T extends object> {
  readonly table: string;
  private readonly columns: readonly Column[];
  private readonly byProperty: ReadonlyMap<string, Column>;

  constructor(
    private readonly dialect: Dialect,
    private readonly entity: EntityClass<T>,
  ) {
    this.table = dialect.table(tableOf(entity).name);
    this.columns = columnsOf(entity);
    this.byProperty = new Map(this.columns.map((column) => [column.property, column]));
  }

  /** All columns, or some, for a SELECT: each as text, under its own name. */
  select(alias?: string, only?: readonly (keyof T)[]): string {
    const columns = only === undefined ? this.columns : columnsOf(this.entity, only);
    return columns.map((column) => selected(this.dialect, column, alias)).join(', ');
  }

  find(where: Where<T>, { only, orderBy, limit, lock }: FindOptions<T> = {}): Statement {
    const condition = this.condition(where, 't.');
    const order = orderBy === undefined ? '' : ` ORDER BY t.${this.column(orderBy).name}`;
    return this.dialect.statement(
      `SELECT ${this.select('t', only)} FROM ${this.table} t${condition.sql}${order}` +
        `${limit === undefined ? '' : ' LIMIT ?'}${lock === true ? this.dialect.forUpdate : ''}`,
      limit === undefined ? condition.values : [...condition.values, limit],
    );
  }

  insert(rows: readonly T[]): Statement {
    return this.dialect.insert(tableOf(this.entity).name, this.columns, this.values(rows));
  }

  /** Of the rows whose key is not there yet: an earlier attempt may have inserted them. */
  insertMissing(rows: readonly T[]): Statement {
    return this.dialect.insertMissing(tableOf(this.entity).name, this.columns, this.values(rows));
  }

  update(where: Where<T>, changes: Changes<T>): Statement {
    const set: string[] = [];
    const values: SqlValue[] = [];
    for (const [property, value] of Object.entries(changes)) {
      const column = this.column(property as keyof T);
      if (value instanceof Expression) {
        set.push(`${column.name} = ${value.sql}`);
        values.push(...value.values);
      } else {
        set.push(`${column.name} = ?`);
        values.push(column.write(value as never));
      }
    }
    const condition = this.someRows(where);
    return this.dialect.statement(`UPDATE ${this.table} SET ${set.join(', ')}${condition.sql}`, [
      ...values,
      ...condition.values,
    ]);
  }

  delete(where: Where<T>): Statement {
    const { sql, values } = this.someRows(where);
    return this.dialect.statement(`DELETE FROM ${this.table}${sql}`, values);
  }

  private values(rows: readonly T[]): (string | number | Buffer | null)[][] {
    return rows.map((row) => valuesOf(row, this.columns));
  }

  private column(property: keyof T): Column {
    const column = this.byProperty.get(String(property));
    if (column === undefined) throw new Error(`${this.table} has no ${String(property)}.`);
    return column;
  }

  private someRows(where: Where<T>): Statement {
    if (Object.keys(where).length === 0)
      throw new Error(`A change of every row of ${this.table} was asked for.`);
    return this.condition(where);
  }

  /** @throws Error for a value that is undefined: it must never mean every row. */
  private condition(where: Where<T>, alias = ''): Statement {
    const parts: string[] = [];
    const values: SqlValue[] = [];
    for (const [property, given] of Object.entries(where)) {
      const column = this.column(property as keyof T);
      for (const wanted of Array.isArray(given) ? (given as unknown[]) : [given]) {
        const { operator, given: operands } = comparisonOf(wanted);
        if (operands.includes(undefined))
          throw new Error(`A condition on ${this.table}.${column.name} is undefined.`);
        parts.push(`${alias}${column.name} ${operator}`);
        values.push(...operands.map((value) => column.write(value as never)));
      }
    }
    return { sql: parts.length === 0 ? '' : ` WHERE ${parts.join(' AND ')}`, values };
  }
}

/** One column in a SELECT: as text, whatever type parsers the application has set. */
export function selected(dialect: Dialect, { name, kind, as }: Column, alias?: string): string {
  const column = alias === undefined ? name : `${alias}.${name}`;
  if (kind === 'text') return column;
  const isNumber = kind === 'position' || kind === 'flag';
  return `${isNumber ? dialect.text(column) : dialect.hex(column)} AS ${as}`;
}

function comparisonOf(wanted: unknown): { operator: string; given: readonly unknown[] } {
  if (wanted === null) return { operator: 'IS NULL', given: [] };
  if (!(wanted instanceof Comparison)) return { operator: '= ?', given: [wanted] };
  const { operator, values } = wanted;
  if (operator === 'IN') return { operator: `IN (${placeholders(values)})`, given: values };
  return { operator: values.length === 0 ? operator : `${operator} ?`, given: values };
}
