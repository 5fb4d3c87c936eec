import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { clockOf } from '../../support/controlled-instance.js';
import { deferred, eventually } from '../../support/eventually.js';
import { claimsIn, countPending, follow, readEvents } from '../../support/log-tables.js';
import { refuseToNumber } from '../../support/unnumberable.js';

describe('C4: the mover numbers pending events', () => {
  describeOn(databaseKinds, 'the mover', (kind) => {
    let database: TestDatabase;
    let instances: Instance[];
    let here: Instance;
    let reported: ReturnType<typeof spyOnErrors>;

    const spyOnErrors = () =>
      jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);

    beforeEach(async () => {
      reported = spyOnErrors();
      database = await kind.migrated();
      instances = [];
      for (let i = 0; i < 2; i++) {
        instances.push(await startInstance(database, { clock: new TestClock() }));
      }
      here = instances[0] as Instance;
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      for (const instance of instances) await instance.close();
      await database?.drop();
    });

    const logoutAllInTransaction = async (...subjects: string[]): Promise<void> => {
      await here.dataSource.transaction(async (manager) => {
        for (const subject of subjects) await here.logout.logoutAll(subject, { manager });
      });
    };

    it('a login waits for the mover, and reads its position after it', async () => {
      const before = await here.login('alice');
      await logoutAllInTransaction('alice');
      const after = await here.login('alice');
      expect(claimsIn(after).gen).toBe(1);
      expect(await countPending(here.dataSource)).toBe(0);
      expect(await here.judge(before)).toBe('session_ended');
      expect(await here.judge(after)).toBe('active');
    });

    it('a login waits for the mover once more if the running one may have started too early', async () => {
      const { transactions, database: log } = await here.open();
      const isMoving = deferred();
      const mayMove = deferred();
      const transaction = log.transaction.bind(log);
      jest.spyOn(log, 'transaction').mockImplementationOnce(async (body) => {
        isMoving.resolve();
        await mayMove.promise;
        return transaction(body);
      });
      const move = jest.spyOn(transactions, 'movePending');
      const read = jest.spyOn(log, 'read');

      await logoutAllInTransaction('bob');
      const first = follow(here); // its answer set the mover to work: it has looked, for one row
      await isMoving.promise;
      await logoutAllInTransaction('alice');
      const reads = read.mock.calls.length;
      const second = here.login('alice');
      await eventually(() => read.mock.calls.length > reads);
      await read.mock.results.at(-1)?.value; // it has found two rows, and the mover at work
      mayMove.resolve();
      await first;
      const token = await second;

      expect(move).toHaveBeenCalledTimes(2);
      expect(await countPending(here.dataSource)).toBe(0);
      expect(claimsIn(token).gen).toBe(2);
      for (const instance of instances) {
        await follow(instance);
        expect(await instance.judge(token)).toBe('active');
      }
    });

    it('the mover numbers each event once, however many instances run it', async () => {
      instances.push(await startInstance(database, { clock: new TestClock() }));
      const subjects = Array.from({ length: 20 }, (_, n) => `subject ${n}`);
      const tokens = await Promise.all(subjects.map((subject) => here.login(subject)));
      await logoutAllInTransaction(...subjects);
      await Promise.all(instances.map((instance) => follow(instance)));
      await Promise.all(instances.map(({ log }) => log.drain()));
      await Promise.all(instances.map((instance) => follow(instance)));

      const events = await readEvents(here.dataSource);
      expect(events.map(({ position }) => position)).toEqual(subjects.map((_, n) => n + 1));
      expect(new Set(events.map(({ id }) => id)).size).toBe(subjects.length);
      expect(await countPending(here.dataSource)).toBe(0);
      for (const instance of instances) {
        expect(instance.cursor.position).toBe(subjects.length);
        for (const token of tokens) expect(await instance.judge(token)).toBe('session_ended');
      }
      expect(reported).not.toHaveBeenCalled();
    });

    it('the mover leaves events that were not in its first read for the next round', async () => {
      await logoutAllInTransaction('alice', 'bob');
      const { database: log, statements, transactions } = await here.open();
      const { rows } = await log.read(statements.listPending(500));
      const seen = new Set([rows[0]?.['event_id'] ?? '']);
      const { events } = await log.transaction(() => transactions.movePending(seen));
      expect(events.map(({ id }) => id)).toEqual([...seen]);
      expect(await countPending(here.dataSource)).toBe(1);
    });

    it('the mover numbers no event twice', async () => {
      await logoutAllInTransaction('alice');
      const { database: log, statements, transactions } = await here.open();
      const [row] = (await log.read(statements.listPending(500))).rows;
      const seen = new Set([row?.['event_id'] ?? '']);
      const deletion = jest.spyOn(statements, 'deletePending').mockImplementationOnce(() => ({
        sql: 'SELECT 1', // as if a copy of the row came back with a restored table
        values: [],
      }));
      await log.transaction(() => transactions.movePending(seen));
      expect(deletion).toHaveBeenCalledTimes(1);
      expect(await countPending(here.dataSource)).toBe(1);
      await log.transaction(() => transactions.movePending(seen));
      expect(await readEvents(here.dataSource)).toHaveLength(1);
      expect(await countPending(here.dataSource)).toBe(0);
    });

    it('the mover reports a row that cannot be numbered, and no login fails for it', async () => {
      const mayBeNumbered = await refuseToNumber(here.dataSource);
      const before = await here.login('alice');
      const session = claimsIn(await here.login('bob')).sid;
      await logoutAllInTransaction('alice');
      await here.dataSource.transaction((manager) =>
        here.logout.logoutSession(session, { manager }),
      );

      const bob = await here.login('bob');
      await expect(here.login('alice')).resolves.toEqual(expect.any(String));
      await follow(here);
      await here.log.drain();
      expect(await here.judge(bob)).toBe('active');
      expect(await here.judge(before)).toBe('session_ended'); // it stays in effect
      expect(reported).toHaveBeenCalledWith(expect.stringContaining('could not be numbered'));
      expect(await readEvents(here.dataSource)).toMatchObject([{ position: 1, kind: 'session' }]);

      await mayBeNumbered();
      clockOf(here).advance(60_000);
      const after = await here.login('alice');
      expect(await here.judge(after)).toBe('active');
      expect(await readEvents(here.dataSource)).toHaveLength(2);
    });

    it('the mover tries a row that cannot be numbered once a minute, and reports the first failure and each tenth', async () => {
      const mayBeNumbered = await refuseToNumber(here.dataSource);
      const session = claimsIn(await here.login('bob')).sid;
      await logoutAllInTransaction('alice', 'carol');
      await here.login('dave');
      expect(reported).toHaveBeenCalledTimes(1); // both rows in one line

      const { transactions } = await here.open();
      const move = jest.spyOn(transactions, 'movePending');
      for (let n = 0; n < 5; n++) {
        await here.login('dave');
        await follow(here);
        await here.log.drain();
      }
      expect(move).not.toHaveBeenCalled();
      await here.dataSource.transaction((manager) =>
        here.logout.logoutSession(session, { manager }),
      );
      await here.login('dave');
      expect(move).toHaveBeenCalledTimes(1); // later events go past them
      expect(await readEvents(here.dataSource)).toMatchObject([{ position: 1, kind: 'session' }]);

      move.mockClear();
      for (let minute = 2; minute <= 10; minute++) {
        clockOf(here).advance(60_000);
        await here.login('dave');
        await here.login('dave');
        await here.log.drain();
        expect(move).toHaveBeenCalledTimes(2 * (minute - 1)); // one for each row
      }
      expect(reported).toHaveBeenCalledTimes(1);
      clockOf(here).advance(60_000);
      await here.login('dave');
      expect(reported).toHaveBeenCalledTimes(2);

      await mayBeNumbered();
      clockOf(here).advance(60_000);
      await here.login('dave');
      expect(await countPending(here.dataSource)).toBe(0);
      expect(await readEvents(here.dataSource)).toHaveLength(3);
    });

    it('an answer that was sent before the mover ran and is read after it is no fork', async () => {
      const before = await here.login('alice');
      await logoutAllInTransaction('alice', 'bob');
      const { database: log } = await here.open();
      const isAnswered = deferred();
      const mayArrive = deferred();
      const poll = log.poll.bind(log);
      jest.spyOn(log, 'poll').mockImplementationOnce(async (...given) => {
        const answer = await poll(...given); // both are pending in it
        isAnswered.resolve();
        await mayArrive.promise;
        return answer;
      });
      const following = follow(here);
      await isAnswered.promise;
      const after = await here.login('alice'); // both are numbered now
      mayArrive.resolve();
      await following;
      await follow(here);
      expect(reported).not.toHaveBeenCalled();
      expect(await here.judge(before)).toBe('session_ended');
      expect(await here.judge(after)).toBe('active');
    });

    it('a plain logout does not wait for the mover', async () => {
      const token = await here.login('bob');
      await logoutAllInTransaction('alice');
      const isMoving = deferred();
      const mayMove = deferred();
      const { database: log } = await here.open();
      const transaction = log.transaction.bind(log);
      jest.spyOn(log, 'transaction').mockImplementationOnce(async (body) => {
        isMoving.resolve();
        await mayMove.promise;
        return transaction(body);
      });
      const login = here.login('alice');
      await isMoving.promise;
      await here.logout.logout(token);
      expect(await here.judge(token)).toBe('session_ended');
      mayMove.resolve();
      expect(claimsIn(await login).gen).toBe(2);
    });
  });
});
