import { describe, expect, it } from '@jest/globals';
import { resolve } from 'node:path';
import { AuthWiringError } from 'nestjs-logout';
import { type DataSourceOptions, DefaultNamingStrategy } from 'typeorm';
import { deriveDataSourceOptions, POOL_SIZE } from '../../support/internals.js';

const server = {
  type: 'postgres',
  host: 'primary',
  port: 1,
  username: 'u',
  password: 'p',
} as const;

/**
 * The options derived from an application's options; loosely typed, as half of them fit one driver
 * only.
 */
function derive(application: object, schema?: string): Record<string, unknown> {
  const derived: unknown = deriveDataSourceOptions(application as DataSourceOptions, { schema });
  return derived as Record<string, unknown>;
}

describe('the options of our own DataSource', () => {
  it('our DataSource takes over how the application reaches the database', () => {
    const ssl = { ca: 'pem' };
    const password = async (): Promise<string> => 'rotated';
    expect(derive({ ...server, ssl, password, database: 'shop', schema: 'app' })).toMatchObject({
      ...server,
      ssl,
      password,
      database: 'shop',
      schema: 'app',
    });
    expect(derive({ type: 'mariadb', url: 'mariadb://h/d', timezone: 'Z' })).toMatchObject({
      type: 'mariadb',
      url: 'mariadb://h/d',
      timezone: 'Z',
    });
  });

  it('our DataSource has a small pool, whatever the application sets and wherever it sets it', () => {
    const extra = { max: 12, min: 5, poolSize: 9, statement_timeout: 1, application_name: 'shop' };
    const derived = derive({ ...server, poolSize: 40, extra });
    expect(derived['poolSize']).toBe(POOL_SIZE);
    expect(derived['extra']).toEqual({ application_name: 'shop', allowExitOnIdle: true });
    expect(extra.max).toBe(12); // the application's own object is as it was
    const mysql = derive({
      type: 'mysql',
      host: 'h',
      extra: { connectionLimit: 9, queueLimit: 1 },
    });
    expect(mysql).toMatchObject({ poolSize: POOL_SIZE, extra: {} });
  });

  const replications: [title: string, given: object, expected: object][] = [
    [
      'host style',
      { type: 'postgres', replication: { master: { host: 'primary' }, slaves: [{ host: 's' }] } },
      { host: 'primary' },
    ],
    [
      'url style',
      { type: 'postgres', replication: { master: { url: 'postgres://primary/d' }, slaves: [] } },
      { url: 'postgres://primary/d' },
    ],
    [
      'a url beside it, which would win',
      {
        type: 'postgres',
        url: 'postgres://stale/d',
        host: 'stale',
        replication: { master: { url: 'postgres://primary/d' }, slaves: [] },
      },
      { url: 'postgres://primary/d' },
    ],
    [
      'MySQL',
      { type: 'mysql', host: 'stale', replication: { master: { host: 'primary' }, slaves: [] } },
      { host: 'primary' },
    ],
  ];
  for (const [title, given, expected] of replications) {
    it(`our DataSource goes to the primary of a replication: ${title}`, () => {
      const derived = derive(given);
      const where = ['url', 'host', 'port', 'username', 'database'];
      const found = Object.fromEntries(Object.entries(derived).filter(([k]) => where.includes(k)));
      expect(found).toEqual(expected);
      expect(derived).not.toHaveProperty('replication');
    });
  }

  it('our DataSource takes ssl from the master of a replication on PostgreSQL', () => {
    const master = { host: 'primary', ssl: { ca: 'of the master' } };
    const given = { type: 'postgres', ssl: { ca: 'x' }, replication: { master, slaves: [] } };
    expect(derive(given)['ssl']).toEqual({ ca: 'of the master' });
    const plain = { host: 'primary' };
    expect(derive({ ...given, replication: { master: plain, slaves: [] } })['ssl']).toEqual({
      ca: 'x',
    });
  });

  it('our DataSource takes over no option that would change our tables, statements or logs', () => {
    const derived = derive({
      ...server,
      name: 'shop',
      entities: ['src/*.ts'],
      subscribers: [class {}],
      migrations: ['m/*.ts'],
      migrationsTableName: 'migrations',
      migrationsRun: true,
      synchronize: true,
      dropSchema: true,
      entityPrefix: 'shop_',
      namingStrategy: new DefaultNamingStrategy(),
      logger: { log: () => undefined },
      logging: true,
      maxQueryExecutionTime: 1,
      cache: true,
      isolationLevel: 'SERIALIZABLE',
      installExtensions: true,
      applicationName: 'shop',
    });
    expect(derived).toMatchObject({
      name: 'nestjs-logout',
      entities: [],
      subscribers: [],
      migrationsTableName: 'auth_migration',
      migrationsRun: false,
      synchronize: false,
      dropSchema: false,
      entityPrefix: '',
      logging: false,
    });
    for (const field of [
      'namingStrategy',
      'logger',
      'cache',
      'isolationLevel',
      'maxQueryExecutionTime',
    ]) {
      expect(derived).not.toHaveProperty(field);
    }
  });

  it('our tables are in the schema of the option', () => {
    expect(derive({ ...server, schema: 'shop' }, 'auth')['schema']).toBe('auth');
  });

  const withoutSchemas = [
    { type: 'mysql', host: 'h' },
    { type: 'mariadb', host: 'h' },
    { type: 'better-sqlite3', database: 'x' },
    { type: 'better-sqlite3', database: ':memory:' },
  ];
  for (const given of withoutSchemas) {
    it(`a schema is refused on a database without schemas: ${JSON.stringify(given)}`, () => {
      expect(() => derive(given, 'auth')).toThrow(AuthWiringError);
      expect(() => derive(given, 'auth')).toThrow(/schema "auth".*PostgreSQL only/s);
    });
  }

  it('our DataSource finds the same SQLite file from every working directory', () => {
    expect(derive({ type: 'better-sqlite3', database: 'data/shop.sqlite' })).toMatchObject({
      database: resolve('data/shop.sqlite'),
    });
    const memory = derive({ type: 'better-sqlite3', database: ':memory:', enableWAL: true });
    expect(memory['database']).toBe(':memory:');
    expect(memory).not.toHaveProperty('enableWAL');
    expect(memory).not.toHaveProperty('poolSize');
  });

  const refused: [given: object, why: RegExp][] = [
    [{ type: 'sqlite', database: 'x' }, /"sqlite".*better-sqlite3/s],
    [{ type: 'sqljs' }, /"sqljs".*overwrite each other/s],
    [{ type: 'mongodb' }, /"mongodb"/],
    [{ type: 'better-sqlite3', database: 'x', readonly: true }, /readonly/],
  ];
  for (const [given, why] of refused) {
    it(`these options are refused by name: ${JSON.stringify(given)}`, () => {
      expect(() => derive(given)).toThrow(AuthWiringError);
      expect(() => derive(given)).toThrow(why);
    });
  }
});
