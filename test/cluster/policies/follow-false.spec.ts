import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { AuthSettings } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import {
  databaseKinds,
  describeOn,
  serverKinds,
  type TestDatabase,
} from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { clockOf } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';
import { follow, loseCommit, readEvents, reconnect } from '../../support/log-tables.js';
import { all, PoliciesController, registered, statusOfAll } from './support.js';

describe('follow: false: a process that only writes', () => {
  let database: TestDatabase;
  let worker: Instance;
  let api: Instance;

  afterEach(async () => {
    jest.restoreAllMocks();
    await worker?.close();
    await api?.close();
    await database?.drop();
  });

  const startWorker = (options: Partial<AuthSettings> = {}): Promise<Instance> =>
    startInstance(database, {
      clock: new TestClock(),
      controllers: [PoliciesController],
      options: { follow: false, ...options },
    });

  describeOn(databaseKinds, 'beside one that follows', (kind) => {
    beforeEach(async () => {
      database = await kind.migrated();
    });

    it('a writer creates the tables, logs so once, and registers the lifetime of its tokens but no staleness', async () => {
      const log = jest.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);
      worker = await startWorker({ accessTokenTtl: '1h', whenStale: { staleFor: '1m' } });
      expect(log.mock.calls.flat()).toContainEqual(expect.stringContaining('follow: false'));
      const [head] = (await worker.dataSource.query(
        'SELECT max_staleness, max_token_life FROM auth_head',
      )) as Record<string, unknown>[];
      expect(Number(head?.['max_token_life'])).toBe(3_600_000);
      expect(Number(head?.['max_staleness'])).toBe(0);
    });

    it('a writer never polls or purges, and keeps no revocations in memory', async () => {
      worker = await startWorker();
      const { database: log } = await worker.open();
      const poll = jest.spyOn(log, 'poll');
      const transaction = jest.spyOn(log, 'transaction');
      const token = await worker.login();
      const one = log.transactionOf === undefined ? undefined : jest.spyOn(log, 'transactionOf');
      const countWrites = (): number =>
        transaction.mock.calls.length + (one?.mock.calls.length ?? 0);
      const writes = countWrites();
      await worker.logout.logout(token);
      await worker.logout.logoutAll('bob');
      clockOf(worker).advance(3_600_000);
      await new Promise((resolve) => setImmediate(resolve));
      expect(poll).not.toHaveBeenCalled();
      expect(countWrites() - writes).toBe(2);
      expect(worker.revocation.status()).toMatchObject({
        following: false,
        ready: false,
        fresh: false,
        staleness: null,
        position: 0,
        entries: 0,
      });
    });

    it('a writer answers 503 at every guard at once, whatever the policy', async () => {
      worker = await startWorker({ whenStale: 'open', overrideCeiling: 'open', staleWait: '10s' });
      await worker.app.listen(0, '127.0.0.1');
      const token = await worker.login();
      // The clock does not move: a request that waited would wait for ever.
      expect(await statusOfAll(await worker.app.getUrl(), token)).toEqual(all(503));
      expect(() =>
        worker.revocation.override({
          staleFor: 'open',
          until: new Date(Date.now() + 60_000),
          actor: 'dora',
        }),
      ).toThrow(/follow: false/);
    });

    it('a writer logs in, refreshes, locks and logs out, and other instances follow it', async () => {
      worker = await startWorker();
      api = await startInstance(database, { clock: new TestClock(), options: { maxStaleness: 7 } });
      const login = await worker.sessions.login(async () => ({ subject: 'alice' }));
      const renewed = await worker.sessions.refresh(login?.refreshToken ?? '');
      expect(await api.judge(renewed.accessToken)).toBe('active');
      const receipt = await worker.logout.logout(renewed.accessToken);
      // The worker accepts nothing; the bound is that of those who do.
      expect(receipt.effectiveEverywhereWithin).toBe(7);
      await receipt.applied();
      await follow(api);
      expect(await api.judge(renewed.accessToken)).toBe('session_ended');
      await expect(worker.sessions.refresh(renewed.refreshToken ?? '')).rejects.toMatchObject({
        code: 'session_ended',
      });
      expect(await registered(worker)).toBe(7_000);
    });

    it('a writer reports the registered bound in a transaction of the caller', async () => {
      worker = await startWorker();
      api = await startInstance(database, { clock: new TestClock(), options: { maxStaleness: 7 } });
      const token = await api.login('alice');
      const receipt = await worker.dataSource.transaction((manager) =>
        worker.logout.logoutAll('alice', { manager }),
      );
      expect(receipt.effectiveEverywhereWithin).toBe(7);
      await receipt.applied();
      await follow(api);
      expect(await api.judge(token)).toBe('session_ended');
    });
  });

  describeOn(serverKinds, 'whose COMMIT is not answered', (kind) => {
    let proxy: TcpProxy;

    beforeEach(async () => {
      database = await kind.migrated();
      const before = await TcpProxy.before(database);
      proxy = before.proxy;
      api = await startInstance(database, { clock: new TestClock() });
      worker = await startInstance(before.through, {
        clock: new TestClock(),
        options: { follow: false },
      });
    });

    afterEach(async () => {
      proxy?.admit();
      await worker?.close();
      await proxy?.close();
    });

    const loseOne = async (fate: 'cut' | 'swallow answer'): Promise<string> => {
      const token = await api.login();
      const lost = loseCommit(proxy, fate);
      await expect(worker.logout.logout(token)).rejects.toMatchObject({ status: 503 });
      await lost;
      return token;
    };

    it.each(['cut', 'swallow answer'] as const)(
      'a writer settles an in-doubt commit without a poll once the database is back (%s)',
      async (fate) => {
        const token = await loseOne(fate);
        await stopPretending();
        await eventually(async () => {
          clockOf(worker).advance(1_000);
          await worker.log.settleUnknown().catch(() => undefined);
          return (await readEvents(api.dataSource)).length === 1;
        });
        await follow(api);
        expect(await api.judge(token)).toBe('session_ended');
      },
    );

    it('a writer settles an in-doubt commit by its own timer', async () => {
      jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
      await loseOne('cut');
      await stopPretending();
      await eventually(async () => {
        clockOf(worker).advance(1_000);
        return (await readEvents(api.dataSource)).length === 1;
      });
    });

    it('a writer settles an in-doubt commit before it shuts down', async () => {
      await loseOne('cut');
      await stopPretending();
      await worker.app.close();
      expect(await readEvents(api.dataSource)).toHaveLength(1);
    });

    /** The worker has no feed that `reconnect` could wait for; the other instance has one. */
    const stopPretending = (): Promise<void> => reconnect(proxy, api);
  });
});
