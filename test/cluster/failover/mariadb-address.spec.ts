import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { Logger } from '@nestjs/common';
import { authMigrations } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { newName, optionsOfServer, withServer } from '../../support/database-server.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { AUTH_TABLES } from '../../support/internals.js';
import { MariaDbServer } from '../../support/mariadb-server.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { followAgain } from '../../support/controlled-instance.js';
import { follow, headPosition, readEvents } from '../../support/log-tables.js';

const title = 'a fail-over to another server on MariaDB servers of its own';

(MariaDbServer.isInstalled ? describe : describe.skip)(title, () => {
  let servers: readonly [MariaDbServer, MariaDbServer];
  let name: string;
  let proxy: TcpProxy;
  let instance: Instance;
  /** The second server, which replicated what the first one had. */
  let promoted: DataSource;

  beforeAll(async () => {
    // One after another: their installer does not support two at once.
    const one = await MariaDbServer.start();
    servers = [one, await MariaDbServer.start()];
  });

  afterAll(async () => {
    for (const server of servers) await server.stop();
  });

  beforeEach(async () => {
    for (const level of ['log', 'warn', 'error'] as const) {
      jest.spyOn(Logger.prototype, level).mockImplementation(() => undefined);
    }
    name = newName();
    for (const { url } of servers) {
      await withServer(optionsOfServer(url), [`CREATE DATABASE ${name}`]);
    }
    const url = `${servers[0].url}/${name}`;
    const drop = async (): Promise<void> => undefined;
    const { proxy: network, through } = await TcpProxy.before({
      url,
      options: optionsOfServer(url),
      drop,
    });
    proxy = network;
    promoted = await new DataSource({
      ...optionsOfServer(`${servers[1].url}/${name}`),
      migrations: [...authMigrations],
    } as DataSourceOptions).initialize();
    await promoted.runMigrations();
    instance = await startInstance(through, { clock: new TestClock() });
  });

  afterEach(async () => {
    await instance?.close();
    await promoted?.destroy();
    await proxy?.close();
    jest.restoreAllMocks();
  });

  const replicate = async (): Promise<void> => {
    for (const table of AUTH_TABLES) {
      await promoted.query(`DELETE FROM ${table}`);
      const rows = (await instance.dataSource.query(`SELECT * FROM ${table}`)) as object[];
      for (const row of rows) {
        const marks = Object.keys(row).map(() => '?');
        const into = `${table} (${Object.keys(row).join(', ')})`;
        await promoted.query(
          `INSERT INTO ${into} VALUES (${marks.join(', ')})`,
          Object.values(row),
        );
      }
    }
  };

  it.each([
    [
      'behind the same address',
      async () => proxy.redirect('127.0.0.1', Number(new URL(servers[1].url).port)),
    ],
    [
      'at a new address, once the DataSource was initialised again',
      async () => {
        const url = (promoted.options as { url: string }).url;
        await instance.dataSource.destroy();
        instance.dataSource.setOptions({ url } as Partial<DataSourceOptions>);
        Object.assign(instance.dataSource.driver.options, { url });
        await instance.dataSource.initialize();
        proxy.refuse();
      },
    ],
  ])(
    '%s is followed: revoked tokens stay refused, and all others are accepted',
    async (_, failOver) => {
      const [one, two] = [await instance.login('alice'), await instance.login('bob')];
      await instance.logout.logout(one);
      await follow(instance);
      await replicate();
      const before = await headPosition(promoted);

      await failOver();
      await followAgain(instance);
      expect(await instance.judge(one)).toBe('session_ended');
      expect(await instance.judge(two)).toBe('active');
      await instance.logout.logout(two);
      expect(await instance.judge(two)).toBe('session_ended');
      expect(await instance.judge(await instance.login('carol'))).toBe('active');
      // No position that the first server may have given comes again (H2).
      const [, second] = await readEvents(promoted);
      expect(second?.position).toBeGreaterThan(before + 1);
    },
  );
});
