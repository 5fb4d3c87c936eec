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
import { randomUUID } from 'node:crypto';
import { type AuthSettings, AuthWiringError } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import type { QueryRunner } from 'typeorm';
import {
  databaseKinds,
  describeOn,
  serverKinds,
  type TestDatabase,
} from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { COMMIT, TcpProxy } from '../../support/tcp-proxy.js';
import { clockOf } from '../../support/controlled-instance.js';
import { countPending, follow } from '../../support/log-tables.js';

const rollBack = new Error('the caller rolls back');

/** Events of which the instance does not know yet whether the caller committed them. */
function openWrites(instance: Instance): number {
  return instance.log.callers.size;
}

/** Counts the polls from now on. */
async function countPolls(instance: Instance): Promise<{ readonly count: number }> {
  const { database } = await instance.open();
  const poll = jest.spyOn(database, 'poll');
  const before = poll.mock.calls.length; // a second spy is the first one
  return {
    get count() {
      return poll.mock.calls.length - before;
    },
  };
}

describe('C5: the instance that wrote decides strictly until it knows the outcome', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  describeOn(databaseKinds, 'an event in the caller’s transaction', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let subject: string;
    let token: string;
    let other: string;

    beforeAll(async () => {
      database = await kind.migrated();
      here = await startInstance(database, { clock: new TestClock() });
    });

    beforeEach(async () => {
      subject = randomUUID();
      token = await here.login(subject);
      other = await here.login('somebody else');
      await follow(here);
    });

    afterEach(async () => {
      await follow(here);
      await here.log.drain();
    });

    afterAll(async () => {
      await here?.close();
      await database?.drop();
    });

    it('the logout takes effect at the commit, without waiting for a poll', async () => {
      for (let round = 0; round < 5; round++) {
        const again = await here.login(subject);
        await here.dataSource.transaction((manager) => here.logout.logoutAll(subject, { manager }));
        expect(await here.judge(again)).toBe('session_ended');
      }
      expect(openWrites(here)).toBe(0);
    });

    it('logout, logoutSession and logoutOthers take effect at the commit', async () => {
      const second = await here.login(subject);
      await here.dataSource.transaction((manager) => here.logout.logoutOthers(token, { manager }));
      expect(await here.judge(second)).toBe('session_ended');
      expect(await here.judge(token)).toBe('active');
      await here.dataSource.transaction((manager) => here.logout.logout(token, { manager }));
      expect(await here.judge(token)).toBe('session_ended');
      expect(openWrites(here)).toBe(0);
    });

    it('a request that was waiting for a proof when the caller committed is refused', async () => {
      const { database: log } = await here.open();
      const poll = log.poll.bind(log);
      let answered: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (answered = resolve));
      let sent: () => void = () => undefined;
      const isSent = new Promise<void>((resolve) => (sent = resolve));
      let verdict: Promise<string> | undefined;
      await here.dataSource.transaction(async (manager) => {
        await here.logout.logoutAll(subject, { manager });
        jest.spyOn(log, 'poll').mockImplementationOnce(async (...given) => {
          const answer = await poll(...given);
          sent();
          await held;
          return answer;
        });
        verdict = here.judge(token);
        await isSent;
      });
      answered();
      expect(await verdict).toBe('session_ended');
    });

    it('after a rollback nothing is decided strictly, and nothing is revoked', async () => {
      const transaction = here.dataSource.transaction(async (manager) => {
        await here.logout.logoutAll(subject, { manager });
        expect(openWrites(here)).toBe(1);
        throw rollBack;
      });
      await expect(transaction).rejects.toBe(rollBack);
      expect(await here.judge(token)).toBe('active');
      expect(openWrites(here)).toBe(0);
      const polls = await countPolls(here);
      expect(await here.judge(token)).toBe('active');
      expect(polls.count).toBe(0);
      expect(await countPending(here.dataSource)).toBe(0);
    });

    it('after a savepoint was rolled back and the whole committed, nothing is decided strictly', async () => {
      await here.dataSource.transaction(async (manager) => {
        const inner = manager.transaction(async (nested) => {
          await here.logout.logoutAll(subject, { manager: nested });
          throw rollBack;
        });
        await expect(inner).rejects.toBe(rollBack);
        expect(await here.judge(token)).toBe('active');
        expect(openWrites(here)).toBe(1);
      });
      expect(await here.judge(token)).toBe('active');
      expect(openWrites(here)).toBe(0);
    });

    it('after a rollback that no one asks about, nothing is decided strictly', async () => {
      const transaction = here.dataSource.transaction(async (manager) => {
        await here.logout.logoutAll(subject, { manager });
        throw rollBack;
      });
      await expect(transaction).rejects.toBe(rollBack);
      await follow(here); // sees that it is over
      await follow(here); // was sent after that
      expect(openWrites(here)).toBe(0);
    });

    it('only requests with affected tokens are slower while the transaction is open for a minute', async () => {
      await here.dataSource.transaction(async (manager) => {
        await here.logout.logoutAll(subject, { manager });
        for (let second = 0; second < 60; second += 5) {
          clockOf(here).advance(5_000);
          await follow(here);
          const polls = await countPolls(here);
          expect(await here.judge(other)).toBe('active');
          expect(polls.count).toBe(0);
          expect(await here.judge(token)).toBe('active');
          expect(polls.count).toBeGreaterThan(0);
        }
      });
      expect(await here.judge(token)).toBe('session_ended');
      expect(await here.judge(other)).toBe('active');
    });

    it('requests that wait share polls', async () => {
      await here.dataSource.transaction(async (manager) => {
        await here.logout.logoutAll(subject, { manager });
        const polls = await countPolls(here);
        const verdicts = await Promise.all(Array.from({ length: 50 }, () => here.judge(token)));
        expect(new Set(verdicts)).toEqual(new Set(['active']));
        expect(polls.count).toBeLessThanOrEqual(3);
      });
    });

    it('strict decisions stop when the longest token lifetime has passed, whatever the transaction reports', async () => {
      const stuck = { isTransactionActive: true };
      const runner = here.dataSource.createQueryRunner();
      await runner.startTransaction();
      await here.logout.logoutAll(subject, { manager: pretending(runner, stuck).manager });
      await runner.rollbackTransaction();
      await runner.release();
      expect(await here.judge(token)).toBe('active');
      expect(openWrites(here)).toBe(1);
      clockOf(here).advance(900_000 + 120_001);
      await follow(here);
      expect(openWrites(here)).toBe(0);
    });

    it('{ manager } is refused for acts that affect the tokens of all accounts', async () => {
      await here.dataSource.transaction(async (manager) => {
        await expect(here.logout.revokeEveryone({ manager })).rejects.toBeInstanceOf(
          AuthWiringError,
        );
        await expect(here.logout.revokeKey('a key', { manager })).rejects.toThrow(/revokeKey/);
      });
      expect(openWrites(here)).toBe(0);
      expect(await countPending(here.dataSource)).toBe(0);
      expect(await here.judge(token)).toBe('active');
    });
  });

  describe('on SQLite in memory, where nothing can be read while the application’s transaction is open', () => {
    let here: Instance;
    let token: string;

    beforeEach(async () => {
      const options = { type: 'better-sqlite3', database: ':memory:' } as const;
      const database = { url: 'sqlite::memory:', options, drop: async () => undefined };
      here = await startInstance(database, { clock: new TestClock() });
      token = await here.login('alice');
      await follow(here);
    });

    afterEach(async () => {
      await here?.close();
    });

    it('a request that waited for half of maxStaleness, at most 2 s, gets 503', async () => {
      await here.dataSource.transaction(async (manager) => {
        await here.logout.logoutAll('alice', { manager });
        const verdict = here.judge(token);
        clockOf(here).advance(2_100);
        expect(await verdict).toBe('revocation_state_unknown');
      });
      expect(await here.judge(token)).toBe('session_ended');
    });

    it('a request that still waits is decided when the transaction ends', async () => {
      let verdict: Promise<string> | undefined;
      await here.dataSource.transaction(async (manager) => {
        await here.logout.logoutAll('alice', { manager });
        verdict = here.judge(token);
      });
      expect(await verdict).toBe('session_ended');
    });
  });

  describeOn(databaseKinds, 'while no poll succeeds', (kind) => {
    it.each([{}, { whenStale: 'open', overrideCeiling: 'open' }] as Partial<AuthSettings>[])(
      'affected tokens get 503, and others are decided by the lease (%j)',
      async (options) => {
        jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
        const database = await kind.migrated();
        const here = await startInstance(database, { clock: new TestClock(), options });
        try {
          const token = await here.login('alice');
          const other = await here.login('bob');
          const { database: log } = await here.open();
          await follow(here);
          await here.dataSource.transaction(async (manager) => {
            await here.logout.logoutAll('alice', { manager });
            const poll = jest.spyOn(log, 'poll').mockRejectedValue(new Error('no answer'));
            expect(await here.judge(token)).toBe('revocation_state_unknown');
            expect(await here.judge(token)).toBe('revocation_state_unknown');
            expect(await here.judge(other)).toBe('active');
            poll.mockRestore();
          });
        } finally {
          await here.close();
          await database.drop();
        }
      },
    );
  });

  describeOn(serverKinds, 'whose connection breaks', (kind) => {
    let database: TestDatabase;
    let proxy: TcpProxy;
    let here: Instance;
    let token: string;

    beforeEach(async () => {
      database = await kind.migrated();
      const before = await TcpProxy.before(database);
      proxy = before.proxy;
      here = await startInstance(before.through, { clock: new TestClock() });
      token = await here.login('alice');
      await follow(here);
    });

    afterEach(async () => {
      await here?.close();
      await proxy?.close();
      await database?.drop();
    });

    const commitLost = async (fate: 'cut' | 'swallow answer'): Promise<void> => {
      const transaction = here.dataSource.transaction(async (manager) => {
        await here.logout.logoutAll('alice', { manager });
        void proxy.next(COMMIT, fate);
      });
      await expect(transaction).rejects.toBeInstanceOf(Error);
    };

    it('tokens are refused at once if the transaction committed although COMMIT was not answered', async () => {
      await commitLost('swallow answer');
      expect(await here.judge(token)).toBe('session_ended');
      expect(openWrites(here)).toBe(0);
    });

    it('decisions stay strict when COMMIT was lost, because the server may still be committing', async () => {
      await commitLost('cut');
      expect(await here.judge(token)).toBe('active');
      await follow(here);
      expect(openWrites(here)).toBe(1);
      clockOf(here).advance(900_000 + 120_001);
      await follow(here);
      expect(openWrites(here)).toBe(0);
    });
  });
});

/** The runner, as it would be if it never said that its transaction is over. */
function pretending(runner: QueryRunner, more: Partial<QueryRunner>): { manager: never } {
  const { manager } = runner;
  const queryRunner = new Proxy(runner, {
    get: (target, name) =>
      Object.hasOwn(more, name) ? Reflect.get(more, name) : Reflect.get(target, name, target),
  });
  return {
    manager: new Proxy(manager, {
      get: (target, name) =>
        name === 'queryRunner' ? queryRunner : Reflect.get(target, name, target),
    }) as never,
  };
}
