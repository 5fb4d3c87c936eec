import type { EntitySchema, MigrationInterface, QueryRunner } from 'typeorm';
import { randomUUID } from 'node:crypto';
import { dialectOf, type TableNames } from './dialect-of.js';
import type { Dialect } from './dialect.js';
import { authEntities, entitySchemas } from './entities/auth-entities.js';
import { StorageFailure } from './log-database.js';
import {
  addColumns,
  createApiTokens,
  createInstances,
  createTables,
  dropApiTokens,
  dropColumns,
  dropInstances,
  dropTables,
} from './table-definitions.js';

/** A migration of our tables; safe to run where its objects exist already. */
abstract class AuthMigration implements MigrationInterface {
  abstract readonly name: string;

  /** @param names - Where the tables are; TypeORM gives none, and `authTables()` those of its own. */
  constructor(private readonly names: TableNames = {}) {}

  async up(queryRunner: QueryRunner): Promise<void> {
    const dialect = dialectOf(queryRunner.connection, this.names);
    await makeMissing((sql) => queryRunner.query(sql), dialect, this.make(dialect));
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const dialect = dialectOf(queryRunner.connection, this.names);
    for (const sql of this.remove(dialect)) await queryRunner.query(sql);
  }

  protected abstract make(dialect: Dialect): readonly string[];
  protected abstract remove(dialect: Dialect): readonly string[];
}

/**
 * Makes the tables of the revocation log.
 *
 * `down` drops them: every token that was logged out and has not expired is accepted again, and the
 * log that a later `up` makes is a new one.
 */
class CreateAuthLog1763683200000 extends AuthMigration {
  readonly name: string = 'CreateAuthLog1763683200000';
  protected make = (dialect: Dialect) => createTables(dialect, randomUUID(), Date.now());
  protected remove = dropTables;
}

/** Makes the table in which each instance reports its settings, so that operators see contradictions. */
class CreateAuthInstance1763769600000 extends AuthMigration {
  readonly name: string = 'CreateAuthInstance1763769600000';
  protected make = (dialect: Dialect) => [createInstances(dialect)];
  protected remove = (dialect: Dialect) => [dropInstances(dialect)];
}

/** Adds the nullable columns and the indexes of release 0.2, while instances of 0.1 use the tables. */
class AddSessionColumns1795824000000 extends AuthMigration {
  readonly name: string = 'AddSessionColumns1795824000000';
  protected make = addColumns;
  protected remove = dropColumns;
}

/** Adds the table of opaque tokens (option `apiTokens`); nothing else changes. */
class CreateAuthApiToken1795910400000 extends AuthMigration {
  readonly name: string = 'CreateAuthApiToken1795910400000';
  protected make = createApiTokens;
  protected remove = (dialect: Dialect) => [dropApiTokens(dialect)];
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
export const authMigrations = [
  CreateAuthLog1763683200000,
  CreateAuthInstance1763769600000,
  AddSessionColumns1795824000000,
  CreateAuthApiToken1795910400000,
] as const;

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
    migrations: authMigrations.map((Migration) => {
      const { name } = Migration;
      const timestamp = name.slice(-TIMESTAMP);
      const renamed =
        tablePrefix === '' ? name : `${name.slice(0, -TIMESTAMP)}_${tablePrefix}${timestamp}`;
      const Base: new (names: TableNames) => MigrationInterface = Migration;
      return class extends Base {
        override readonly name = renamed;

        constructor() {
          super({ schema, tablePrefix });
        }
      };
    }),
  };
}

/** TypeORM reads the time of a migration from the last digits of its name. */
const TIMESTAMP = 13;
