/**
 * The names of the tables without `tablePrefix`. Naming strategies of the application do not apply to them.
 */
export const AUTH_TABLES = [
  'auth_log',
  'auth_head',
  'auth_event',
  'auth_pending',
  'auth_subject',
  'auth_session',
  'auth_refresh',
  'auth_instance',
  'auth_api_token',
] as const;

/** One of {@link AUTH_TABLES}. */
export type AuthTable = (typeof AUTH_TABLES)[number];

/**
 * What a column holds. Each dialect has an SQL type for each kind.
 *
 * - `position`: a position of the log, a time (epoch ms) or a duration (ms); a safe integer
 * - `bytes`, `digest`, `sealed`: 16 bytes, 32 bytes, at most 64 bytes; hexadecimal digits here
 * - `text`: at most 255 characters, compared exactly
 * - `long`: a longer text, in no index
 * - `flag`: true or false, 1 or 0 in the database
 */
export type ColumnKind = 'position' | 'bytes' | 'digest' | 'sealed' | 'text' | 'long' | 'flag';

/** The releases that added columns, the oldest first. The migration of a release never changes again. */
export type Release = '0.1' | '0.2';

/** A privilege that the library needs on a table. */
export type Privilege = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';

/** A class that declares a table. */
export type EntityClass<T extends object = object> = new () => T;

/** A column, as its decorator declares it. */
export interface Column {
  readonly property: string;
  readonly name: string;
  readonly kind: ColumnKind;
  readonly isKey: boolean;
  readonly isNullable: boolean;
  readonly since: Release;
  /** The migration creates it, but this release neither reads nor writes it. */
  readonly isReserved: boolean;
  /** The name under which statements select it. */
  readonly as: string;
  /** Converts a selected value, which is always text, to the value of the property. */
  readonly read: (text: string | null | undefined) => unknown;
  /** Converts the value of the property to the value of a placeholder. */
  readonly write: (value: never) => string | number | Buffer | null;
}

/** The options of a column decorator. Everything else follows from the name of the property. */
interface ColumnOptions {
  /** @default the name of the property in snake_case */
  readonly name?: string;
  readonly key?: true;
  readonly nullable?: true;
  /** @default '0.1' */
  readonly since?: Release;
  /**
   * The migration creates it, but this release neither reads nor writes it. So tables are altered once for
   * several features (docs/decisions/0012).
   */
  readonly reserved?: true;
  /** @default the name of the column; set another if statements join tables that both have such a column */
  readonly as?: string;
  /** The value that is stored as NULL, instead of `null`. For a column that was added later. */
  readonly absent?: true;
}

/** A table, as its class declares it. */
export interface Table {
  readonly name: AuthTable;
  readonly privileges: readonly Privilege[];
  readonly columns: readonly Column[];
}

const declaredColumns = new WeakMap<object, Column[]>();
const declaredTables = new WeakMap<object, Table>();

/** Declares that a class is one of our tables. */
export function Table(name: AuthTable, privileges: readonly Privilege[]): ClassDecorator {
  return (entity) =>
    void declaredTables.set(entity, {
      name,
      privileges,
      columns: declaredColumns.get(entity) ?? [],
    });
}

/** Declares a column that holds a position, a time or a duration. */
export const Position = columnOf('position', integerOf, (value: number) => value);
/** Declares a column that holds 16 bytes: the id of an event, or a key of the index. */
export const Bytes = columnOf('bytes', textOf, (hex: string) => Buffer.from(hex, 'hex'));
/** Declares a column that holds a SHA-256 digest. */
export const Digest = columnOf('digest', textOf, (hex: string) => Buffer.from(hex, 'hex'));
/** Declares a column that holds an encrypted refresh token. */
export const Sealed = columnOf('sealed', textOf, (hex: string) => Buffer.from(hex, 'hex'));
/** Declares a column that holds a text. */
export const Text = columnOf('text', textOf, (text: string) => text);
/** Declares a column that holds a long text. */
export const Long = columnOf('long', textOf, (text: string) => text);
/** Declares a column that holds true or false. */
export const Flag = columnOf('flag', flagOf, (value: boolean) => (value ? 1 : 0));

/**
 * Declares a column that holds one of these texts. Any other text, from a newer release, reads as the first.
 */
export function Choice(values: readonly string[], options?: ColumnOptions): PropertyDecorator {
  const known = new Set<unknown>(values);
  const read: Column['read'] = (text) => (known.has(text) ? text : values[0]);
  return columnOf('text', read, (text: string) => text)(options);
}

/** @throws Error for a class without `@Table()`. */
export function tableOf(entity: object): Table {
  const table = declaredTables.get(entity);
  if (table === undefined) throw new Error(`${String(entity)} declares no table.`);
  return table;
}

/** The columns that this release reads and writes, or only those of `properties`, in the declared order. */
export function columnsOf<T extends object>(
  entity: EntityClass<T>,
  properties?: readonly (keyof T)[],
): readonly Column[] {
  return tableOf(entity).columns.filter(({ property, isReserved }) =>
    properties === undefined ? !isReserved : properties.includes(property as keyof T),
  );
}

/** A row as it was selected: every column as text. */
type Cells = Readonly<Record<string, string | null>>;

/**
 * Returns a function that reads an entity from a row.
 *
 * @param prefix - The prefix of the column names in the row, because a row may hold several entities.
 */
export function reader<T extends object>(
  entity: EntityClass<T>,
  properties?: undefined,
  prefix?: string,
): (row: Cells) => T;
export function reader<T extends object, P extends keyof T>(
  entity: EntityClass<T>,
  properties: readonly P[],
  prefix?: string,
): (row: Cells) => Pick<T, P>;
export function reader<T extends object>(
  entity: EntityClass<T>,
  properties?: readonly (keyof T)[],
  prefix = '',
): (row: Cells) => T {
  const columns = columnsOf(entity, properties).map(({ property, read, as }) => ({
    property,
    read,
    as: `${prefix}${as}`,
  }));
  return (row) => {
    const read: Record<string, unknown> = {};
    for (const column of columns) read[column.property] = column.read(row[column.as]);
    return read as T;
  };
}

function textOf(text: string | null | undefined): string {
  return text ?? '';
}

function flagOf(text: string | null | undefined): boolean {
  return text === '1';
}

function columnOf<V>(
  kind: ColumnKind,
  read: Column['read'],
  write: (value: V) => string | number | Buffer,
): (options?: ColumnOptions) => PropertyDecorator {
  return (options = {}) =>
    (prototype, key) => {
      const property = String(key);
      const name =
        options.name ?? property.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const { absent = null } = options;
      const optional: Column['read'] = (text) =>
        text === null || text === undefined ? absent : read(text);
      const column: Column = {
        property,
        name,
        kind,
        isKey: options.key === true,
        isNullable: options.nullable === true,
        since: options.since ?? '0.1',
        isReserved: options.reserved === true,
        as: options.as ?? name,
        read: options.nullable === true ? optional : read,
        write: (value: V | null) => (value === null || value === absent ? null : write(value)),
      };
      const columns = declaredColumns.get(prototype.constructor) ?? [];
      declaredColumns.set(prototype.constructor, [...columns, column]);
    };
}

/** @throws RangeError for a number that JavaScript cannot hold exactly: a position must never be rounded. */
export function integerOf(text: string | null | undefined): number {
  const value = Number(text);
  if (text === null || text === undefined || !Number.isSafeInteger(value)) {
    throw new RangeError(`The revocation log holds "${text}" where a safe integer belongs.`);
  }
  return value;
}
