import type { EntitySchema, MigrationInterface, QueryRunner } from 'typeorm';
import { randomUUID } from 'node:crypto';
import { dialectOf, type TableNames } from './dialect-of.js';
import type { Dialect } from './dialect.js';
import { authEntities, entitySchemas } from './entities/auth-entities.js';
import { StorageFailure } from './log-database.js';
import { makeChange, TABLE_CHANGES, type TableChange, undoChange } from './table-definitions.js';

/**
 * The migration that makes a change; safe to run where its objects exist already. `down` of the first one
 * drops the log: every token that was logged out and has not expired is accepted again, and the log that a
 * later `up` makes is a new one.
 *
 * @param names - Where the tables are; TypeORM gives none, and `authTables()` those of its own.
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

/** Runs statements of which some may have run before: not every database can say IF NOT EXISTS. */
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
 * The migrations of our tables, for applications that run theirs by TypeORM's command. With `tablePrefix`
 * or `schema` in `AuthModule.forRoot()` use {@link authTables} instead.
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

/** What {@link authTables} gives. @publicApi */
export interface AuthTables {
  /** For the `entities` of a DataSource, like {@link authEntities}. */
  readonly entities: readonly EntitySchema[];
  /** For the `migrations` of a DataSource, in their order. */
  readonly migrations: readonly (new () => MigrationInterface)[];
}

/**
 * The entities and migrations of our tables under other names, for the `tablePrefix` and `schema` that
 * `AuthModule.forRoot()` has. Without either they are {@link authEntities} and {@link authMigrations}.
 *
 * TypeORM records migrations by name, so these have names of their own: two logs can be in one database.
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
  // The schema alone has never changed the names of migrations that have run.
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

/** TypeORM reads the time of a migration from the last digits of its name. */
const TIMESTAMP = 13;
