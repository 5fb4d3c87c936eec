import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { follow, loseCommit, readEvents, reconnect } from '../../support/log-tables.js';

const HALF_AN_HOUR = 1_800_000;

describe('G3: a retry keeps kills_below', () => {
  describeOn(serverKinds, 'a logout of an account whose COMMIT was lost', (kind) => {
    let database: TestDatabase;
    let proxy: TcpProxy;
    let near: Instance;
    let far: Instance;
    let clocks: TestClock[];

    beforeEach(async () => {
      database = await kind.migrated();
      const { proxy: network, through } = await TcpProxy.before(database);
      proxy = network;
      clocks = [new TestClock(), new TestClock()];
      const [clock, otherClock] = clocks as [TestClock, TestClock];
      const options = { accessTokenTtl: '2h' as const };
      near = await startInstance(through, { clock, options });
      far = await startInstance(database, { clock: otherClock, options });
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      proxy?.admit();
      await near?.close();
      await far?.close();
      await proxy?.close();
      await database?.drop();
    });

    const loseLogoutAll = async (subject: string): Promise<void> => {
      const lost = loseCommit(proxy, 'cut');
      await expect(near.logout.logoutAll(subject)).rejects.toMatchObject({ status: 503 });
      await lost;
    };
    const letTimePass = (): void => clocks.forEach((clock) => clock.skewDatabase(HALF_AN_HOUR));

    it('a logout whose COMMIT was lost does not end later logins when it is settled half an hour later', async () => {
      const before = await far.login('alice');
      await loseLogoutAll('alice'); // it would have been the first event
      await far.logout.logoutSession('of somebody else');
      const after = await far.login('alice');
      letTimePass();

      await reconnect(proxy, near);
      await near.log.drain();

      expect(await readEvents(far.dataSource)).toMatchObject([
        { position: 1, kind: 'session' },
        { position: 2, kind: 'subject', killsBelow: 1 },
      ]);
      for (const instance of [near, far]) {
        await follow(instance);
        expect(await instance.judge(before)).toBe('session_ended');
        expect(await instance.judge(after)).toBe('active');
      }
    });

    it('a retry keeps kills_below also when its COMMIT is lost too', async () => {
      const before = await far.login('alice');
      await loseLogoutAll('alice');
      await far.logout.logoutSession('of somebody else');
      const after = await far.login('alice');

      // Settled a first time, as position 2, and lost again.
      jest.restoreAllMocks();
      proxy.admit();
      const lostAgain = loseCommit(proxy, 'cut');
      await reconnectFeed();
      await lostAgain;
      await near.log.drain();
      expect(await near.judge(before)).toBe('revocation_state_unknown');
      letTimePass();

      await reconnect(proxy, near);
      await near.log.drain();
      expect(await readEvents(far.dataSource)).toMatchObject([
        { position: 1, kind: 'session' },
        { position: 2, kind: 'subject', killsBelow: 1 },
      ]);
      expect(await near.judge(before)).toBe('session_ended');
      expect(await near.judge(after)).toBe('active');
    });

    /** Until an answer came, because the answer starts the settlement. */
    const reconnectFeed = async (): Promise<void> => {
      while (!(await near.feed.strictProof())) await Promise.resolve();
    };
  });
});
