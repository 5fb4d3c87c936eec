import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AuthEvents } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import {
  databaseKinds,
  describeOn,
  serverKinds,
  sqlite,
  type TestDatabase,
} from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { endSessions, listenForErrors, knows } from '../../support/controlled-instance.js';
import { follow, headPosition, loseAllAfter } from '../../support/log-tables.js';

/** Where a jump leads: microseconds since 1970, and on. */
const FAR = 1_600_000_000_000_000;

/** A token of a future that was lost: its position was handed out, and is gone. */
async function loginFromLostFuture(instance: Instance, position: number): Promise<string> {
  const since = { position, now: Math.floor(instance.clock.wall()) };
  return (await instance.sessions.login({ subject: 'alice' }, { since })).accessToken;
}

async function countJumps({ dataSource }: Instance): Promise<number> {
  const [row] = (await dataSource.query(
    `SELECT COUNT(*) AS count FROM auth_event WHERE kind = 'history'`,
  )) as { count: string | number }[];
  return Number(row?.count);
}

describe('H2: no position is handed out twice', () => {
  let database: TestDatabase;
  let here: Instance;
  let there: Instance;
  let errors: () => string[];

  const start = async (create: () => Promise<TestDatabase>): Promise<void> => {
    database = await create();
    here = await startInstance(database, { clock: new TestClock() });
    there = await startInstance(database, { clock: new TestClock() });
    errors = listenForErrors();
  };

  afterEach(async () => {
    jest.restoreAllMocks();
    await here?.close();
    await there?.close();
    await database?.drop();
  });

  describeOn(serverKinds, 'another server that lost nothing', (kind) => {
    const promote = (): Promise<unknown> =>
      here.dataSource.query(`UPDATE auth_head SET server = 'the one before'`);

    beforeEach(() => start(() => kind.migrated()));

    it('the first writer jumps on another server, and no instance reloads', async () => {
      await endSessions(here, 3);
      await follow(there);
      await promote();
      const [sid = ''] = await endSessions(here, 1);
      expect(await headPosition(here.dataSource)).toBeGreaterThan(FAR);
      const { database: log } = await there.open();
      const read = jest.spyOn(log, 'read');
      await follow(there);
      expect(read).not.toHaveBeenCalled();
      expect(knows(there, sid)).toBe(true);
      expect(there.cursor.position).toBe(await headPosition(here.dataSource));
      expect(errors()).toEqual([]);
      expect(await countJumps(here)).toBe(1);
    });

    it('the first login jumps on another server, so its position is beyond all earlier ones', async () => {
      await endSessions(here, 2);
      await promote();
      const { position } = await here.sessions.position();
      expect(position).toBeGreaterThan(FAR);
    });

    it('the first load jumps on another server', async () => {
      await endSessions(here, 2);
      await promote();
      const young = await startInstance(database, { clock: new TestClock() });
      expect(young.cursor.position).toBeGreaterThan(FAR);
      await young.close();
    });

    it('the first poll jumps on another server, and proves nothing before', async () => {
      await endSessions(here, 2);
      await promote();
      await follow(there);
      expect(await headPosition(here.dataSource)).toBeGreaterThan(FAR);
      expect(await countJumps(here)).toBe(1);
      expect(errors()).toEqual([]);
    });

    it('E7: a replica behind a proxy that splits reads from writes proves nothing', async () => {
      await endSessions(here, 2);
      const { database: log, transactions } = await there.open();
      const poll = log.poll.bind(log);
      // Reads go elsewhere, writes to the primary: no jump can make the two agree.
      jest.spyOn(log, 'poll').mockImplementation(async (...given) => {
        const { rows, affected } = await poll(...given);
        return { rows: rows.map((row) => ({ ...row, server_now: 'a replica' })), affected };
      });
      const jump = jest.spyOn(transactions, 'jump');
      expect(await there.feed.strictProof()).toBe(false);
      expect(jump).toHaveBeenCalledTimes(1);
      expect(String(there.feed.failure)).toMatch(/a replica answers the polls/);
      expect(await countJumps(here)).toBe(0);
    });

    it('the log jumps once on another server, however many write at once', async () => {
      await endSessions(here, 2);
      await promote();
      await Promise.all([here, there].flatMap((each) => times(20, () => endSessions(each, 1))));
      expect(await countJumps(here)).toBe(1);
      const positions = (await here.dataSource.query(
        `SELECT position FROM auth_event`,
      )) as unknown[];
      expect(positions).toHaveLength(43);
    });
  });

  describeOn(databaseKinds, 'a history that was lost', (kind) => {
    beforeEach(() => start(() => kind.migrated()));

    it('an instance that saw more of a lost history jumps beyond it before it writes', async () => {
      await endSessions(here, 5);
      await loseAllAfter(here, 2);
      const lost = await loginFromLostFuture(here, 4);
      await here.logout.logoutAll('alice');
      expect(await headPosition(here.dataSource)).toBeGreaterThan(FAR);
      expect(await here.judge(lost)).toBe('session_ended');
      await follow(there);
      expect(await there.judge(lost)).toBe('session_ended');
    });

    it('H3: the instance that finds the fork jumps beyond the lost history', async () => {
      await endSessions(here, 5);
      await follow(there);
      await loseAllAfter(here, 2);
      await follow(there);
      expect(errors()).toHaveLength(1);
      expect(there.cursor.position).toBeGreaterThan(FAR);
      expect(await countJumps(here)).toBe(1);
      // The other one finds that another instance has jumped: its own memory is enough.
      await follow(here);
      expect(await countJumps(here)).toBe(1);
    });

    it('H1: an instance that knows the lost history still refuses its refresh tokens after the jump', async () => {
      const login = await here.sessions.login(async () => ({ subject: 'alice' }));
      await here.logout.logoutAll('alice');
      const { dataSource } = here;
      await loseAllAfter(here, 0);
      await dataSource.query(`DELETE FROM auth_subject`);
      await dataSource.query(`UPDATE auth_session SET ended_at = NULL, end_reason = NULL`);
      await follow(here);
      expect(await headPosition(dataSource)).toBeGreaterThan(FAR);
      await expect(here.sessions.refresh(login?.refreshToken ?? '')).rejects.toMatchObject({
        code: 'session_ended',
      });
    });

    it('the audit events report how much was lost', async () => {
      const told: unknown[] = [];
      here.app.get(AuthEvents).subscribe((event) => told.push(event));
      await endSessions(here, 3);
      await loseAllAfter(here, 1);
      await follow(here);
      expect(told).toEqual([expect.objectContaining({ type: 'history_lost', lost: 2 })]);
    });
  });

  describeOn([sqlite], 'a file without a server name', (kind) => {
    beforeEach(() => start(() => kind.migrated()));

    it('H3: a file, which has no server name, jumps at every load, and the other instances follow', async () => {
      const [sid = ''] = await endSessions(here, 1);
      await follow(there);
      const young = await startInstance(database, { clock: new TestClock(), jumpsAtLoad: true });
      expect(young.cursor.position).toBeGreaterThan(FAR);
      expect(knows(young, sid)).toBe(true);
      const [later = ''] = await endSessions(young, 1);
      await follow(there);
      expect(knows(there, later)).toBe(true);
      expect(errors()).toEqual([]);
      await young.close();
    });
  });
});

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}
