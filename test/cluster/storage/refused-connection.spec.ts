import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { type AuthSettings, AuthWiringError } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { createUser, type DatabaseUser } from '../../support/database-user.js';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { openLogDatabase } from '../../support/internals.js';
import { eventually } from '../../support/eventually.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

describeOn(serverKinds, 'a boot with a password that the database refuses', (kind) => {
  let database: TestDatabase;
  let user: DatabaseUser;
  let clock: TestClock;
  let refusals: () => number;

  beforeEach(async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    refusals = () =>
      warn.mock.calls.filter(([message]) => /password|denied/i.test(String(message))).length;
    database = await kind.create();
    user = await createUser(database, 'right');
    clock = new TestClock();
  });

  afterEach(async () => {
    await user?.drop();
    await database?.drop();
    jest.restoreAllMocks();
  });

  /** The application reaches its database; only the log's own connections are refused. */
  const start = (dataSource: object, options: Partial<AuthSettings> = {}): Promise<Instance> =>
    startInstance(database, {
      clock,
      options: { dataSource: dataSource as DataSourceOptions, bootTimeout: '10s', ...options },
    });
  /** The boot waits by the clock, the database answers when it can: on a busy machine much later. */
  const refusedOnce = (): Promise<void> =>
    eventually(() => {
      clock.advance(1);
      return refusals() > 0;
    });
  const outcomeOf = async (starting: Promise<unknown>): Promise<unknown> => {
    let outcome: unknown;
    void starting.then(
      (value) => (outcome = value),
      (error: unknown) => (outcome = error),
    );
    await eventually(() => {
      clock.advance(100);
      return outcome !== undefined;
    });
    return outcome;
  };

  for (const follow of [true, false]) {
    it(`the boot stops after bootTimeout with the error of the database (follow: ${follow})`, async () => {
      const starting = start({ ...user.options, password: 'wrong' }, { follow });
      starting.catch(() => undefined);
      await refusedOnce();
      const outcome = await outcomeOf(starting);
      expect(outcome).toBeInstanceOf(AuthWiringError);
      expect(String(outcome)).toMatch(/the database refuses .*(password|denied)/i);
    });

    for (const fate of ['freeze', 'refuse'] as const) {
      it(`the boot stops too if later attempts get no answer (follow: ${follow}, ${fate})`, async () => {
        const { host, port } = user.options as { host: string; port: number };
        const proxy = await TcpProxy.to(host, port);
        const options = { ...user.options, port: proxy.port, password: 'wrong' };
        const starting = start(options, { follow });
        starting.catch(() => undefined);
        await refusedOnce();
        proxy[fate]();
        const made = proxy.connections + proxy.refused;
        await eventually(() => {
          clock.advance(20);
          return proxy.connections + proxy.refused > made;
        });
        clock.advance(10_000);
        // A boot that stops waits for its attempt, so that it leaves no connection behind.
        await proxy.close();
        const outcome = await outcomeOf(starting);
        expect(outcome).toBeInstanceOf(AuthWiringError);
        expect(String(outcome)).toMatch(/the database refuses .*(password|denied)/i);
      });
    }
  }

  it('the boot succeeds if the password is corrected in the options before bootTimeout', async () => {
    const options = { ...user.options, password: 'wrong' };
    // Longer than a busy machine can take to connect while the clock moves.
    const starting = start(options, { bootTimeout: '10m' });
    starting.catch(() => undefined);
    await refusedOnce();
    Object.assign(options, { password: 'right' });
    const instance = (await outcomeOf(starting)) as Instance;
    expect(instance.revocation.status().ready).toBe(true);
    await instance.close();
  });
});

describe('a database whose driver is not installed', () => {
  it('a missing driver stops the boot with the name of the package', async () => {
    // As TypeORM's own class does where `import('pg')` fails.
    class WithoutDriver {
      readonly '@instanceof' = Symbol.for('DataSource');
      readonly options = { type: 'postgres', url: 'postgres://nowhere/x' };
      readonly driver = {};
      readonly entityMetadatas = [];

      constructor(options?: unknown) {
        if (options === undefined) return;
        throw Object.assign(new Error('Postgres package has not been found installed.'), {
          name: 'DriverPackageNotInstalledError',
        });
      }
    }
    const opening = openLogDatabase({
      source: new WithoutDriver() as unknown as DataSource,
      schema: undefined,
      migrations: 'check',
    });
    await expect(opening).rejects.toThrow(AuthWiringError);
    await expect(opening).rejects.toThrow(/driver .* is not installed.*npm install pg/s);
  });
});
