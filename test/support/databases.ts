import { describe } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource, type DataSourceOptions } from 'typeorm';

/** An empty database that one test owns. */
export interface TestDatabase {
  /** As the quick-start takes it in `DATABASE_URL`. */
  readonly url: string;
  readonly options: DataSourceOptions;
  drop(): Promise<void>;
}

/** A kind of database server that tests run against. */
export interface DatabaseKind {
  readonly name: 'SQLite' | 'PostgreSQL' | 'MariaDB';
  readonly available: boolean;
  create(): Promise<TestDatabase>;
}

export const sqlite: DatabaseKind = {
  name: 'SQLite',
  available: true,
  create: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nestjs-logout-'));
    const file = join(folder, 'test.sqlite');
    return {
      url: `sqlite:${file}`,
      options: { type: 'better-sqlite3', database: file },
      drop: async () => rmSync(folder, { recursive: true, force: true }),
    };
  },
};

export const postgres: DatabaseKind = {
  name: 'PostgreSQL',
  available: process.env['TEST_POSTGRES_URL'] !== undefined,
  create: async () => {
    const server = process.env['TEST_POSTGRES_URL'] ?? '';
    const database = newName();
    await withServer(
      { type: 'postgres', url: `${server}/postgres` },
      `CREATE DATABASE ${database}`,
    );
    const url = `${server}/${database}`;
    return {
      url,
      options: { type: 'postgres', url },
      drop: () =>
        withServer(
          { type: 'postgres', url: `${server}/postgres` },
          `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`,
        ),
    };
  },
};

export const mariadb: DatabaseKind = {
  name: 'MariaDB',
  available: process.env['TEST_MARIADB_URL'] !== undefined,
  create: async () => {
    const server = new URL(process.env['TEST_MARIADB_URL'] ?? '');
    const admin = server.href.replace(/^(mysql|mariadb):/, 'mariadb:');
    const database = newName();
    const adminOptions: DataSourceOptions = { type: 'mariadb', url: admin };
    await withServer(adminOptions, `CREATE DATABASE ${database}`);
    server.pathname = `/${database}`;
    const url = server.href.replace(/^(mysql|mariadb):/, 'mysql:');
    return {
      url,
      options: { type: 'mariadb', url: url.replace(/^mysql:/, 'mariadb:') },
      drop: () => withServer(adminOptions, `DROP DATABASE IF EXISTS ${database}`),
    };
  },
};

/** All kinds; a suite that runs over them skips by name those that are missing. */
export const databaseKinds = [sqlite, postgres, mariadb] as const;

/** Those with connections of their own to a server. */
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

function newName(): string {
  return `logout_${randomBytes(6).toString('hex')}`;
}

async function withServer(options: DataSourceOptions, sql: string): Promise<void> {
  const dataSource = await new DataSource(options).initialize();
  try {
    await dataSource.query(sql);
  } finally {
    await dataSource.destroy();
  }
}
