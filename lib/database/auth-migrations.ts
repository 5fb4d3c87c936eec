import type { EntitySchema, MigrationInterface, QueryRunner } from 'typeorm';
import { randomUUID } from 'node:crypto';
import { dialectOf, type TableNames } from './dialect-of.js';
import type { Dialect } from './dialect.js';
import { authEntities, entitySchemas } from './entities/auth-entities.js';
import { StorageFailure } from './log-database.js';
import { makeChange, TABLE_CHANGES, type TableChange, undoChange } from './table-definitions.js';

/**
 * The migration class of a change. `up` does nothing for objects that exist already.
 *
 * `down` of the first migration drops the log. Every token that was logged out and has not expired is then
 * accepted again, and a later `up` creates a new log.
 *
 * @param names - The names of the tables. TypeORM creates the class without arguments, so they are given
 * here.
 */
function migrationOf(
  change: TableChange,
  name: string,
  names: TableNames = {},
): new () => MigrationInterface {
  return class implements MigrationInterface {
    readonly name = name;

    async up(queryRunner: QueryRunner): Promise<void> {
      const dialect = dialectOf(queryRunner.connection, names);
      const statements = makeChange(dialect, change, randomUUID(), Date.now());
      await makeMissing((sql) => queryRunner.query(sql), dialect, statements);
    }

    async down(queryRunner: QueryRunner): Promise<void> {
      const dialect = dialectOf(queryRunner.connection, names);
      for (const sql of undoChange(dialect, change)) await queryRunner.query(sql);
    }
  };
}

/**
 * Runs statements of which some may have run before. It ignores "exists already", because not every database
 * supports IF NOT EXISTS.
 */
export async function makeMissing(
  run: (sql: string) => Promise<unknown>,
  dialect: Dialect,
  statements: readonly string[],
): Promise<void> {
  for (const sql of statements) {
    try {
      await run(sql);
    } catch (error) {
      const cause = error instanceof StorageFailure ? error.cause : error;
      if (!dialect.isThereAlready(cause)) throw error;
    }
  }
}

/**
 * The migrations of the library's tables, for applications that run migrations themselves with TypeORM. If
 * you set `tablePrefix` or `schema` in `AuthModule.forRoot()`, use {@link authTables} instead.
 *
 * A migration does nothing for objects that exist. Reverting the first one drops the log: every token that
 * was logged out and has not expired is then accepted again.
 *
 * @example
 * ```ts
 * new DataSource({ ...options, migrations: [...authMigrations, 'dist/migrations/*.js'] });
 * ```
 * @publicApi
 */
export const authMigrations: readonly (new () => MigrationInterface)[] = TABLE_CHANGES.map(
  (change) => migrationOf(change, change.migration),
);

/** The result of {@link authTables}. @publicApi */
export interface AuthTables {
  /** For the `entities` of a DataSource, like {@link authEntities}. */
  readonly entities: readonly EntitySchema[];
  /** For the `migrations` of a DataSource, in their order. */
  readonly migrations: readonly (new () => MigrationInterface)[];
}

/**
 * The entities and migrations of the library's tables under other names. Pass the same `tablePrefix` and
 * `schema` as to `AuthModule.forRoot()`. Without both, they are {@link authEntities} and
 * {@link authMigrations}.
 *
 * With a prefix, the migrations have names of their own, because TypeORM records migrations by name. So one
 * database can have two logs.
 *
 * @example
 * ```ts
 * const names = { tablePrefix: 'shop_' };
 * const { entities, migrations } = authTables(names);
 * new DataSource({ ...options, entities: [...entities], migrations: [...migrations] });
 * AuthModule.forRoot({ ...names, secret, issuer, audience });
 * ```
 * @publicApi
 */
export function authTables(names: TableNames = {}): AuthTables {
  const { schema, tablePrefix = '' } = names;
  // With a schema alone the migrations keep their names: TypeORM would run them again under a new name.
  if (tablePrefix === '' && schema === undefined) {
    return { entities: authEntities, migrations: authMigrations };
  }
  return {
    entities: entitySchemas(tablePrefix, schema),
    migrations: TABLE_CHANGES.map((change) => {
      const [name, time] = [
        change.migration.slice(0, -TIMESTAMP),
        change.migration.slice(-TIMESTAMP),
      ];
      const renamed = tablePrefix === '' ? change.migration : `${name}_${tablePrefix}${time}`;
      return migrationOf(change, renamed, { schema, tablePrefix });
    }),
  };
}

/** The length of a timestamp. TypeORM reads the time of a migration from the last 13 digits of its name. */
const TIMESTAMP = 13;
