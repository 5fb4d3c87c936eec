import { join } from 'node:path';
import type { DataSourceOptions } from 'typeorm';
import { startMariaDb } from './mariadb.js';
import { startPostgres } from './postgres.js';
import { temporaryFolder } from './temporary-folder.js';

export type DatabaseName = 'PostgreSQL' | 'MariaDB' | 'SQLite';

/**
 * Runs a body on each kind of database that this machine has, one after another, and collects the
 * results.
 */
export async function onEachDatabase<T>(
  body: (name: DatabaseName, options: DataSourceOptions) => Promise<readonly T[]>,
): Promise<T[]> {
  const found: T[] = [];
  for (const start of [startPostgres, startMariaDb, startSqlite]) {
    const database = await start();
    if (database === undefined) continue;
    const { type } = database.options;
    const name = type === 'postgres' ? 'PostgreSQL' : type === 'mariadb' ? 'MariaDB' : 'SQLite';
    try {
      found.push(...(await body(name, database.options)));
    } finally {
      await database.stop();
    }
  }
  return found;
}

async function startSqlite(): Promise<{ options: DataSourceOptions; stop: () => Promise<void> }> {
  const folder = temporaryFolder();
  return {
    options: { type: 'better-sqlite3', database: join(folder.path, 'bench.sqlite') },
    stop: async () => folder.remove(),
  };
}
