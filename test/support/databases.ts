import { describe } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataSourceOptions } from 'typeorm';
import { newName, optionsOfServer, withServer } from './database-server.js';
import { copyEmptyPostgres, copyMariaDb, copyPostgres, copySqlite } from './migrated-templates.js';

/** A database that one test owns. */
export interface TestDatabase {
  /** As the quick-start takes it in `DATABASE_URL`. */
  readonly url: string;
  readonly options: DataSourceOptions;
  /** Deletes a file; the databases of a server are dropped together when the run ends. */
  drop(): Promise<void>;
}

/** A kind of database server that tests run against. */
export interface DatabaseKind {
  readonly name: 'SQLite' | 'PostgreSQL' | 'MariaDB';
  readonly available: boolean;
  /** An empty one, for tests of migrations. */
  create(): Promise<TestDatabase>;
  /** One with our tables and its own log. */
  migrated(): Promise<TestDatabase>;
}

export const sqlite: DatabaseKind = {
  name: 'SQLite',
  available: true,
  create: () => sqliteFile(async () => undefined),
  migrated: () => sqliteFile(copySqlite),
};

export const postgres: DatabaseKind = {
  name: 'PostgreSQL',
  available: process.env['TEST_POSTGRES_URL'] !== undefined,
  create: () => onPostgres(copyEmptyPostgres),
  migrated: () => onPostgres(copyPostgres),
};

export const mariadb: DatabaseKind = {
  name: 'MariaDB',
  available: process.env['TEST_MARIADB_URL'] !== undefined,
  create: () => onMariaDb((admin, name) => withServer(admin, [`CREATE DATABASE ${name}`])),
  migrated: () => onMariaDb(copyMariaDb),
};

/** All kinds; a suite that runs over them skips by name those that are missing. */
export const databaseKinds = [sqlite, postgres, mariadb] as const;

/** Those with their own connections to a server. */
export const serverKinds = [postgres, mariadb] as const;

/** One `describe` for each kind, skipped by name where the server is missing. */
export function describeOn(
  kinds: readonly DatabaseKind[],
  title: string,
  body: (kind: DatabaseKind) => void,
): void {
  for (const kind of kinds) {
    const run = kind.available ? describe : describe.skip;
    run(`${title} on ${kind.name}`, () => body(kind));
  }
}

async function sqliteFile(fill: (file: string) => Promise<void>): Promise<TestDatabase> {
  const folder = mkdtempSync(join(process.env['TEST_FILES'] ?? tmpdir(), 'nestjs-logout-'));
  const file = join(folder, 'test.sqlite');
  await fill(file);
  return {
    url: `sqlite:${file}`,
    options: { type: 'better-sqlite3', database: file },
    drop: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Creates a database of this name, by the options of a connection to its server. */
type Make = (admin: DataSourceOptions, name: string) => Promise<unknown>;

async function onPostgres(make: Make): Promise<TestDatabase> {
  const server = process.env['TEST_POSTGRES_URL'] ?? '';
  const name = newName();
  await make(optionsOfServer(`${server}/postgres`), name);
  const url = `${server}/${name}`;
  return { url, options: { type: 'postgres', url }, drop: async () => undefined };
}

async function onMariaDb(make: Make): Promise<TestDatabase> {
  const server = new URL(process.env['TEST_MARIADB_URL'] ?? '');
  const name = newName();
  await make(optionsOfServer(server.href), name);
  server.pathname = `/${name}`;
  const url = server.href.replace(/^mariadb:/, 'mysql:');
  return { url, options: optionsOfServer(url), drop: async () => undefined };
}
