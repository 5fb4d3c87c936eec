import { randomUUID } from 'node:crypto';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DataSourceOptions } from 'typeorm';
import { openLogDatabase } from '../../lib/database/open-log-database.js';
import { newName, optionsOfServer, withServer } from './database-server.js';

/*
 * Databases with our tables, created once for each run by the real migrations, for tests that are
 * about something else. Each copy gets its own log id: two logs never have the same.
 */

/** Creates one on each available kind of database. */
export async function makeTemplates(): Promise<void> {
  const file = join(process.env['TEST_FILES'] ?? '', `${newName()}.sqlite`);
  await migrate({ type: 'better-sqlite3', database: file });
  process.env['TEST_SQLITE_TEMPLATE'] = file;
  for (const kind of ['POSTGRES', 'MARIADB']) {
    const server = process.env[`TEST_${kind}_URL`];
    if (server === undefined) continue;
    const url = new URL(server);
    const name = newName();
    url.pathname = kind === 'POSTGRES' ? '/postgres' : '/';
    await withServer(optionsOfServer(url.href), [`CREATE DATABASE ${name}`]);
    url.pathname = `/${name}`;
    await migrate(optionsOfServer(url.href));
    process.env[`TEST_${kind}_TEMPLATE`] = name;
  }
  await makeEmptyPostgres();
}

/** One without tables, to which a first connection was made: see {@link copyPostgres}. */
async function makeEmptyPostgres(): Promise<void> {
  const server = process.env['TEST_POSTGRES_URL'];
  if (server === undefined) return;
  const name = newName();
  await withServer(optionsOfServer(`${server}/postgres`), [`CREATE DATABASE ${name}`]);
  await withServer(optionsOfServer(`${server}/${name}`), ['SELECT 1']);
  process.env['TEST_POSTGRES_EMPTY'] = name;
}

/** Creates a file with our tables. */
export async function copySqlite(file: string): Promise<void> {
  copyFileSync(process.env['TEST_SQLITE_TEMPLATE'] ?? '', file);
  await withServer({ type: 'better-sqlite3', database: file }, [newLog('auth_log')]);
}

/** Creates a PostgreSQL database without tables. */
export async function copyEmptyPostgres(admin: DataSourceOptions, name: string): Promise<void> {
  await copyFiles(admin, name, process.env['TEST_POSTGRES_EMPTY'] ?? 'template1');
}

/** Creates a PostgreSQL database with our tables. */
export async function copyPostgres(admin: DataSourceOptions, name: string): Promise<void> {
  await copyFiles(admin, name, process.env['TEST_POSTGRES_TEMPLATE'] ?? '');
  await withServer(optionsOfServer(`${process.env['TEST_POSTGRES_URL']}/${name}`), [
    newLog('auth_log'),
  ]);
}

/**
 * Its files hold what the first connection would otherwise compute from the catalog: half the work.
 */
async function copyFiles(admin: DataSourceOptions, name: string, template: string): Promise<void> {
  await withServer(admin, [`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`]);
}

let tablesOfMariaDb: Promise<readonly { name: string }[]> | undefined;

/** Creates a MariaDB database with our tables. */
export async function copyMariaDb(admin: DataSourceOptions, name: string): Promise<void> {
  const template = process.env['TEST_MARIADB_TEMPLATE'] ?? '';
  tablesOfMariaDb ??= withServer<{ name: string }>(admin, [
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = '${template}'`,
  ]);
  const tables = await tablesOfMariaDb;
  await withServer(admin, [
    `CREATE DATABASE ${name}`,
    ...tables.flatMap((table) => [
      `CREATE TABLE ${name}.${table.name} LIKE ${template}.${table.name}`,
      `INSERT INTO ${name}.${table.name} SELECT * FROM ${template}.${table.name}`,
    ]),
    newLog(`${name}.auth_log`),
  ]);
}

function newLog(table: string): string {
  return `UPDATE ${table} SET log_id = '${randomUUID()}', created_at = ${Date.now()}`;
}

async function migrate(source: DataSourceOptions): Promise<void> {
  const database = await openLogDatabase({ source, schema: undefined, migrations: 'run' });
  await database.close();
}
