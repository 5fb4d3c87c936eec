import type { MigrationInterface } from 'typeorm';
import type { TableNames } from '../dialect-of.js';
import { AddSessionColumns1795824000000 } from './add-session-columns.migration.js';
import { CreateAuthInstance1763769600000 } from './create-auth-instance.migration.js';
import { CreateAuthLog1763683200000 } from './create-auth-log.migration.js';

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
] as const;

/** What {@link authTables} gives. @publicApi */
export interface AuthTables {
  /** For the `migrations` of a DataSource, in their order. */
  readonly migrations: readonly (new () => MigrationInterface)[];
}

/**
 * The migrations of our tables under other names, for the `tablePrefix` and `schema` that
 * `AuthModule.forRoot()` has. Without either they are {@link authMigrations}.
 *
 * TypeORM records migrations by name, so these have names of their own: two logs can be in one database.
 *
 * @example
 * ```ts
 * const names = { tablePrefix: 'shop_' };
 * new DataSource({ ...options, migrations: [...authTables(names).migrations] });
 * AuthModule.forRoot({ ...names, secret, issuer, audience });
 * ```
 * @publicApi
 */
export function authTables(names: TableNames = {}): AuthTables {
  const { schema, tablePrefix = '' } = names;
  // The schema alone has never changed the names of migrations that have run.
  if (tablePrefix === '' && schema === undefined) return { migrations: authMigrations };
  return {
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
