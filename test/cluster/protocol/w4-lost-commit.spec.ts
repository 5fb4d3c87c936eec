import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { COMMIT, TcpProxy } from '../../support/tcp-proxy.js';
import { AppendAtOnce } from '../../support/internals.js';
import { follow, loseCommit, readEvents, reconnect } from '../../support/log-tables.js';

const OUTCOMES = [
  { title: 'was committed', fate: 'swallow answer', written: 1 },
  { title: 'was not committed', fate: 'cut', written: 0 },
] as const;

describe('W4: the lost answer to COMMIT', () => {
  describeOn(serverKinds, 'a logout', (kind) => {
    let database: TestDatabase;
    let proxy: TcpProxy;
    let near: Instance;
    let far: Instance;
    let token: string;
    let other: string;

    beforeEach(async () => {
      database = await kind.migrated();
      const { proxy: network, through } = await TcpProxy.before(database);
      proxy = network;
      near = await startInstance(through, { clock: new TestClock() });
      far = await startInstance(database, { clock: new TestClock() });
      token = await near.login('alice');
      other = await near.login('alice');
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      proxy?.admit();
      await near?.close();
      await far?.close();
      await proxy?.close();
      await database?.drop();
    });

    for (const { title, fate, written } of OUTCOMES) {
      it(`a logout without an answer to COMMIT is in doubt if it ${title}: 503 for its tokens and its caller, and for no one else`, async () => {
        const lost = loseCommit(proxy, fate);
        await expect(near.logout.logout(token)).rejects.toMatchObject({
          status: 503,
          code: 'storage_unavailable',
        });
        await lost;
        expect(await readEvents(far.dataSource)).toHaveLength(written);
        expect(await near.judge(token)).toBe('revocation_state_unknown');
        expect(await near.judge(other)).toBe('active');

        await reconnect(proxy, near);
        await near.log.drain();
        expect(await near.judge(token)).toBe('session_ended');
        expect(await near.judge(other)).toBe('active');
        expect(await readEvents(far.dataSource)).toHaveLength(1);
        await follow(far);
        expect(await far.judge(token)).toBe('session_ended');
      });

      it(`a logout without an answer to COMMIT is settled by its own retry if it ${title}: one event, one position`, async () => {
        const lost = proxy.next(COMMIT, fate);
        const receipt = await near.logout.logout(token);
        await lost;
        expect(receipt.events).toMatchObject([{ kind: 'session', position: 1 }]);
        expect(await readEvents(far.dataSource)).toMatchObject([
          { position: 1, id: receipt.events[0]?.id },
        ]);
        expect(await near.judge(token)).toBe('session_ended');
        await near.logout.logout(other);
        await follow(far);
        expect(far.cursor.position).toBe(2);
      });
    }

    it('a logout that was committed is settled by the poll that shows it, without a write', async () => {
      const lost = loseCommit(proxy, 'swallow answer');
      await expect(near.logout.logout(token)).rejects.toMatchObject({ status: 503 });
      await lost;
      const append = jest.spyOn((await near.open()).transactions, 'append');
      await reconnect(proxy, near);
      await near.log.drain();
      expect(append).not.toHaveBeenCalled();
      expect(await near.judge(token)).toBe('session_ended');
    });

    it('a logout whose retry was refused under the head lock is known to be absent', async () => {
      jest.spyOn(AppendAtOnce.prototype, 'run').mockResolvedValue(undefined);
      let cuts = 0;
      proxy.watch((bytes) => {
        if (!COMMIT.test(bytes)) return 'pass';
        cuts++;
        return 'cut';
      });
      const { transactions } = await near.open();
      const append = transactions.append.bind(transactions);
      jest.spyOn(transactions, 'append').mockImplementation(function* (drafts, lookUp) {
        const appended = yield* append(drafts, lookUp);
        if (cuts > 0) yield { sql: 'SELECT nothing_of_that_name', values: [] };
        return appended;
      });
      await expect(near.logout.logout(token)).rejects.toMatchObject({ status: 503 });
      expect(cuts).toBe(1);
      expect(await readEvents(far.dataSource)).toHaveLength(0);
      expect(await near.judge(token)).toBe('active');
    });

    it('a logout is in doubt again when the COMMIT of its retry is lost too', async () => {
      const first = proxy.next(COMMIT, 'cut');
      const second = first.then(() => loseCommit(proxy, 'swallow answer'));
      await expect(near.logout.logout(token)).rejects.toMatchObject({ status: 503 });
      await second;
      expect(await readEvents(far.dataSource)).toHaveLength(1);
      expect(await near.judge(token)).toBe('revocation_state_unknown');
    });
  });
});
