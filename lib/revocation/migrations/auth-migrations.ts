import { AddSessionColumns1795824000000 } from './add-session-columns.migration.js';
import { CreateAuthInstance1763769600000 } from './create-auth-instance.migration.js';
import { CreateAuthLog1763683200000 } from './create-auth-log.migration.js';

/**
 * The migrations of our tables, for applications that run theirs by TypeORM's command.
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
