import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { AccountService } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, postgres, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { codeOf, login } from '../../support/session-acts.js';

/** Of one login and one refresh, with BEGIN and COMMIT. */
const COUNTS = {
  SQLite: { login: 6, refresh: 8 },
  PostgreSQL: { login: 2, refresh: 2 },
  MariaDB: { login: 6, refresh: 9 },
};

/** A week and a day more than a refresh token is valid. */
const LONG = 22 * 86_400_000;

describeOn(databaseKinds, 'the statements of a session', (kind) => {
  let database: TestDatabase;
  let clock: TestClock;
  let instance: Instance;
  /** What it does is known to the database alone. */
  let other: Instance;
  /** What happens after a refresh has looked up its token and before it is stored. */
  let meanwhile: () => unknown;

  beforeEach(async () => {
    database = await kind.migrated();
    clock = new TestClock();
    meanwhile = () => undefined;
    const claims = async (): Promise<object> => {
      await meanwhile();
      return {};
    };
    instance = await startInstance(database, { clock, options: { claims } as never });
    other = await startInstance(database, { clock });
    // The first of each kind opens connections and builds the texts.
    const { refreshToken } = await login(instance, 'warm-up');
    await instance.sessions.refresh(refreshToken);
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await instance?.close();
    await other?.close();
    await database?.drop();
  });

  /** How many statements the act sends. */
  const countOf = async (act: () => Promise<unknown>): Promise<number> => {
    const { database: log } = await instance.open();
    let count = 0;
    const { read, transaction, transactionOf } = log;
    jest.spyOn(log, 'read').mockImplementation((...given) => {
      count++;
      return read.apply(log, given);
    });
    jest.spyOn(log, 'transaction').mockImplementation(((body: () => Generator, via: never) =>
      transaction.call(
        log,
        function* (): Generator {
          count += 2;
          const steps = body();
          let step = steps.next();
          for (; step.done !== true; count++) step = steps.next(yield step.value);
          return step.value;
        } as never,
        via,
      )) as never);
    if (transactionOf !== undefined) {
      jest.spyOn(log as Required<typeof log>, 'transactionOf').mockImplementation((statement) => {
        count++;
        return transactionOf.call(log, statement);
      });
    }
    await act();
    jest.restoreAllMocks();
    return count;
  };

  it('a session takes as few statements as the database allows', async () => {
    const { refreshToken } = await login(instance, 'alice');
    const counts = {
      login: await countOf(() => login(instance, 'alice')),
      refresh: await countOf(() => instance.sessions.refresh(refreshToken)),
    };
    expect(counts).toEqual(COUNTS[kind.name]);
  });

  it('a login with a client or a grant takes one statement more, which looks for a cut-off', async () => {
    for (const context of [{ client: 'tv' }, { grant: 'a' }, { client: 'tv', grant: 'a' }]) {
      const count = await countOf(() =>
        instance.sessions.login(() => ({ subject: 'alice' }), context),
      );
      expect({ context, count }).toEqual({ context, count: COUNTS[kind.name].login + 1 });
    }
  });

  it('RT-08: a refresh refuses a session that was logged out after its token was looked up', async () => {
    const { refreshToken, accessToken } = await login(instance, 'alice');
    meanwhile = () => other.logout.logout(accessToken);
    expect(await codeOf(instance.sessions.refresh(refreshToken))).toBe('session_ended');
  });

  it('a refresh refuses an account that was locked after the token was looked up', async () => {
    const { refreshToken } = await login(instance, 'alice');
    meanwhile = () => other.app.get(AccountService).lock('alice', '1h');
    expect(await codeOf(instance.sessions.refresh(refreshToken))).toBe('account_locked');
  });

  it('a refresh refuses a token that expired by the database’s clock after it was looked up', async () => {
    const { refreshToken } = await login(instance, 'alice');
    meanwhile = () => clock.skewDatabase(LONG);
    expect(await codeOf(instance.sessions.refresh(refreshToken))).toBe('refresh_token_expired');
  });

  it('a refresh returns one successor to two callers that looked the token up at the same time', async () => {
    const { refreshToken } = await login(instance, 'alice');
    let second: Promise<{ refreshToken?: string }> | undefined;
    meanwhile = async () => {
      meanwhile = () => undefined;
      second = instance.sessions.refresh(refreshToken);
      await second;
    };
    const first = await instance.sessions.refresh(refreshToken);
    expect(first.refreshToken).toBe((await second)?.refreshToken);
  });

  it('a login is stored after its account was unlocked, and refused while it is locked', async () => {
    const accounts = instance.app.get(AccountService);
    await accounts.lock('alice', '1h');
    expect(await codeOf(login(instance, 'alice'))).toBe('account_locked');
    await accounts.unlock('alice');
    expect(await codeOf(login(instance, 'alice'))).toBe('good');
  });
});

describeOn([postgres], 'one statement', (kind) => {
  it('one statement is not used where it would not be a transaction like the others', async () => {
    const database = await kind.migrated();
    const instance = await startInstance(database, { clock: new TestClock() });
    try {
      const { database: log } = await instance.open();
      await login(instance, 'alice');
      const steps = jest.spyOn(log, 'transaction');
      await instance.dataSource.query(
        `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$`,
      );
      const later = await startInstance(database, { clock: new TestClock() });
      const { database: laterLog } = await later.open();
      await login(later, 'alice');
      const laterSteps = jest.spyOn(laterLog, 'transaction');
      await login(instance, 'alice');
      expect(await codeOf(login(later, 'alice'))).toBe('good');
      expect([steps.mock.calls.length, laterSteps.mock.calls.length]).toEqual([0, 1]);
      await later.close();
    } finally {
      jest.restoreAllMocks();
      await instance.close();
      await database.drop();
    }
  });
});
