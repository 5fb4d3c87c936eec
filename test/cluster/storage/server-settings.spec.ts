import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { TestClock } from 'nestjs-logout/testing';
import type { DataSourceOptions } from 'typeorm';
import { newName, optionsOfServer, withServer } from '../../support/database-server.js';
import { postgres, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { MariaDbServer } from '../../support/mariadb-server.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { eventually } from '../../support/eventually.js';

/** A text that ends a literal where backslashes do not escape. */
const HOSTILE = `it's \\ "so" \\' -- \\`;

/** After it the server ends an idle connection (s); MariaDB accepts no less. */
const IDLE = 1;

let instance: Instance | undefined;
let proxy: TcpProxy | undefined;

afterEach(async () => {
  jest.restoreAllMocks();
  await instance?.close();
  await proxy?.close();
  instance = proxy = undefined;
});

async function start(database: TestDatabase): Promise<{ here: Instance; network: TcpProxy }> {
  const { proxy: network, through } = await TcpProxy.before(database);
  proxy = network;
  const here = await startInstance(through, { clock: new TestClock() });
  instance = here;
  return { here, network };
}

/** Has the server end every connection twice; each time the next poll is proven on one new connection. */
async function expectToSurvive(
  database: TestDatabase,
  server: DataSourceOptions,
  connected: string,
): Promise<void> {
  const { here, network } = await start(database);
  const token = await here.login('alice');
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  for (const round of [1, 2]) {
    // No request is sent meanwhile: the clock of this instance does not move.
    await eventually(async () => {
      const [row] = await withServer<{ count: unknown }>(server, [connected]);
      return Number(row?.count) === 0;
    });
    const { connections } = network;
    const verified = await here.tokens.verify(token, { freshness: 'strict' }).then(
      () => 'active',
      (error: unknown) => String(error),
    );
    expect({ round, verified, made: network.connections - connections }).toEqual({
      round,
      verified: 'active',
      made: 1,
    });
    expect(await here.judge(await here.login('bob'))).toBe('active');
  }
  expect(warn.mock.calls).toEqual([]);
}

(postgres.available ? describe : describe.skip)('PostgreSQL', () => {
  it('idle_session_timeout of the server causes one reconnect, and no warning', async () => {
    const database = await postgres.migrated();
    const name = new URL(database.url).pathname.slice(1);
    const server = optionsOfServer(`${process.env['TEST_POSTGRES_URL']}/postgres`);
    await withServer(server, [`ALTER DATABASE ${name} SET idle_session_timeout = '${IDLE}s'`]);
    await expectToSurvive(
      database,
      server,
      `SELECT COUNT(*) AS count FROM pg_stat_activity WHERE datname = '${name}'`,
    );
  });
});

(MariaDbServer.isInstalled ? describe : describe.skip)('a MariaDB of its own', () => {
  let server: MariaDbServer;

  beforeAll(async () => {
    server = await MariaDbServer.start();
    await withServer(optionsOfServer(server.url), [
      `SET GLOBAL sql_mode = CONCAT(@@GLOBAL.sql_mode, ',NO_BACKSLASH_ESCAPES')`,
      `SET GLOBAL wait_timeout = ${IDLE}`,
    ]);
  });

  afterAll(() => server?.stop());

  const create = async (): Promise<TestDatabase> => {
    const name = newName();
    await withServer(optionsOfServer(server.url), [`CREATE DATABASE ${name}`]);
    const url = `${server.url}/${name}`;
    return { url, options: optionsOfServer(url), drop: async () => undefined };
  };

  it('wait_timeout of the server causes one reconnect, and no warning', async () => {
    const database = await create();
    const name = new URL(database.url).pathname.slice(1);
    await expectToSurvive(
      database,
      optionsOfServer(server.url),
      `SELECT COUNT(*) AS count FROM information_schema.processlist WHERE db = '${name}'`,
    );
  });

  it('with NO_BACKSLASH_ESCAPES texts of clients are stored as they are', async () => {
    const { here } = await start(await create());
    const context = { device: HOSTILE, userAgent: HOSTILE };
    const login = await here.sessions.login(async () => ({ subject: HOSTILE }), context);
    const sessions = await here.sessions.list(HOSTILE);
    expect(sessions.map(({ device, userAgent }) => ({ device, userAgent }))).toEqual([context]);
    const token = login?.accessToken ?? '';
    expect(await here.judge(token)).toBe('active');
    await here.logout.logoutAll(HOSTILE);
    expect(await here.judge(token)).not.toBe('active');
  });
});
