import { Test } from '@nestjs/testing';
import type { INestApplicationContext } from '@nestjs/common';
import Database from 'better-sqlite3';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Pool } from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { AuthModule } from '../../lib/auth.module.js';
import { LogoutService } from '../../lib/logout/logout.service.js';
import { atLeast, type BenchTable, type Figure } from './bench.js';
import { RevokedToken } from './guard/recipe.js';
import { progress } from './progress.js';
import { against, describe, race, type Write } from './race.js';
import { startPostgres } from './support/postgres.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { runIfMain } from './run-if-main.js';

const CALLERS = 64;
const ISSUER = 'https://issuer.bench';

/** Concurrent logouts beside one insert each: durable on both sides. */
export async function run(): Promise<BenchTable> {
  const figures = [...(await onPostgres()), ...(await onSqlite())];
  return { title: 'Writing logouts', node: process.versions.node, figures };
}

async function onPostgres(): Promise<Figure[]> {
  const server = await startPostgres();
  if (server === undefined) return [];
  progress('64 concurrent logouts on PostgreSQL');
  const pool = new Pool({ connectionString: server.url, max: 8 });
  const peer = await openPeer({ ...server.options, poolSize: 8 } as DataSourceOptions);
  const { app, write } = await openOurs(server.options);
  try {
    const insert = {
      name: 'revoke',
      text: 'INSERT INTO revoked_token (jti, "expiresAt") VALUES ($1, $2)',
    };
    const raw: Write = () => pool.query({ ...insert, values: [randomUUID(), Date.now()] });
    const paces = await race({
      ours: { write, callers: CALLERS },
      again: { write, callers: CALLERS },
      raw: { write: raw, callers: CALLERS },
      typeorm: { write: peer.write, callers: CALLERS },
      alone: { write, callers: 1 },
      'alone again': { write, callers: 1 },
      'raw alone': { write: raw, callers: 1 },
    });
    const over = against(paces);
    return [
      atLeast(
        'PostgreSQL: one logout, one caller, against one raw insert (pg, prepared)',
        over('alone', 'raw alone'),
        'x',
        0.6,
        `${describe(paces.alone)}; peer ${describe(paces['raw alone'])}`,
      ),
      plain('one caller against itself (A/A control)', over('alone again', 'alone'), 'x'),
      plain(
        'PostgreSQL: 64 logouts at once, against one insert each on 8 connections (raw pg, prepared)',
        over('ours', 'raw'),
        'x',
        `${describe(paces.ours)}; peer ${describe(paces.raw)}`,
      ),
      plain(
        'the same against TypeORM insert() on 8 connections',
        over('ours', 'typeorm'),
        'x',
        describe(paces.typeorm),
      ),
      plain('64 at once against themselves (A/A control)', over('again', 'ours'), 'x'),
    ];
  } finally {
    await app.close();
    await peer.close();
    await pool.end();
    await server.stop();
  }
}

async function onSqlite(): Promise<Figure[]> {
  progress('64 concurrent logouts on SQLite, synchronous = FULL');
  const folder = temporaryFolder();
  const { app, write } = await openOurs({
    type: 'better-sqlite3',
    database: join(folder.path, 'ours.sqlite'),
  });
  const peers = new Database(join(folder.path, 'peers.sqlite'));
  try {
    peers.pragma('journal_mode = WAL');
    peers.pragma('synchronous = FULL');
    peers.exec(
      'CREATE TABLE revoked_token (jti varchar(36) PRIMARY KEY, expiresAt bigint NOT NULL)',
    );
    peers.exec('CREATE INDEX revoked_token_expiry ON revoked_token (expiresAt)');
    const insert = peers.prepare('INSERT INTO revoked_token VALUES (?, ?)');
    const raw: Write = async () => insert.run(randomUUID(), Date.now());
    const paces = await race({
      ours: { write, callers: CALLERS },
      again: { write, callers: CALLERS },
      raw: { write: raw, callers: 1 },
      alone: { write, callers: 1 },
    });
    const over = against(paces);
    return [
      plain(
        'SQLite FULL: 64 logouts at once, against one prepared insert after the other',
        over('ours', 'raw'),
        'x',
        describe(paces.ours),
      ),
      plain('SQLite: ours against ours (A/A control)', over('again', 'ours'), 'x'),
      plain(
        'SQLite FULL: one logout, one caller, against one insert',
        over('alone', 'raw'),
        'x',
        describe(paces.alone),
      ),
    ];
  } finally {
    await app.close();
    peers.close();
    folder.remove();
  }
}

/** Our module on a database, and its logout of a session that was not logged out before. */
async function openOurs(
  dataSource: DataSourceOptions,
): Promise<{ app: INestApplicationContext; write: Write }> {
  const module = await Test.createTestingModule({
    imports: [
      AuthModule.forRoot({
        secret: 'a secret of the benches: 32 bytes or more',
        issuer: ISSUER,
        audience: 'https://audience.bench',
        migrations: 'run',
        dataSource,
      }),
    ],
  }).compile();
  const app = await module.init();
  const logout = app.get(LogoutService);
  return {
    app,
    write: () => {
      const iat = Math.floor(Date.now() / 1000);
      return logout.logout({ iss: ISSUER, sub: 'user', sid: randomUUID(), iat, exp: iat + 300 });
    },
  };
}

async function openPeer(
  options: DataSourceOptions,
): Promise<{ write: Write; close: () => Promise<void> }> {
  const dataSource = await new DataSource({
    ...options,
    entities: [RevokedToken],
    synchronize: true,
  } as DataSourceOptions).initialize();
  await dataSource.query('CREATE INDEX revoked_token_expiry ON revoked_token ("expiresAt")');
  const repository = dataSource.getRepository(RevokedToken);
  return {
    write: () => repository.insert({ jti: randomUUID(), expiresAt: Date.now() }),
    close: () => dataSource.destroy(),
  };
}

function plain(name: string, value: number, unit: string, note?: string): Figure {
  return note === undefined ? { name, value, unit } : { name, value, unit, note };
}

await runIfMain(import.meta.url, run);
