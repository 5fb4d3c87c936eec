import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { DataSource, type QueryRunner } from 'typeorm';
import { describeOn, postgres, type TestDatabase } from '../../support/databases.js';
import { startInstance } from '../../support/instance.js';
import { AppendAtOnce } from '../../support/internals.js';
import { COMMIT, TcpProxy } from '../../support/tcp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { countLockWaits, follow } from '../../support/log-tables.js';

/** What one would write first: ids from a sequence, and a cursor on the last one seen. */
class NaiveFeed {
  readonly seen: string[] = [];
  private last = 0;

  constructor(private readonly dataSource: DataSource) {}

  async poll(): Promise<void> {
    const rows = (await this.dataSource.query(
      'SELECT id, sid FROM naive_log WHERE id > $1 ORDER BY id',
      [this.last],
    )) as { id: string; sid: string }[];
    for (const { id, sid } of rows) {
      this.last = Number(id);
      this.seen.push(sid);
    }
  }
}

describe('W1: why a cursor on `id > last` is not enough', () => {
  describeOn([postgres], 'two logouts of which the first commits last', (kind) => {
    let database: TestDatabase;
    let application: DataSource;

    beforeEach(async () => {
      database = await kind.create();
      application = await new DataSource(database.options).initialize();
    });

    afterEach(async () => {
      await application?.destroy();
      await database?.drop();
    });

    it('a cursor loses an event if ids come from a sequence', async () => {
      await application.query('CREATE TABLE naive_log (id bigserial PRIMARY KEY, sid text)');
      const feed = new NaiveFeed(application);
      const begin = async (sid: string): Promise<QueryRunner> => {
        const runner = application.createQueryRunner();
        await runner.startTransaction();
        await runner.query('INSERT INTO naive_log (sid) VALUES ($1)', [sid]);
        return runner;
      };
      const slow = await begin('slow');
      const fast = await begin('fast');
      await fast.commitTransaction();
      await feed.poll();
      await slow.commitTransaction();
      await feed.poll();
      await feed.poll();

      const stored = (await application.query('SELECT sid FROM naive_log ORDER BY id')) as object[];
      expect(stored).toEqual([{ sid: 'slow' }, { sid: 'fast' }]);
      expect(feed.seen).toEqual(['fast']); // the logout of `slow` is never read
      await slow.release();
      await fast.release();
    });

    it('our log loses no event in the same order of commits', async () => {
      const { proxy, through } = await TcpProxy.before(database);
      const slow = await startInstance(through, { clock: new TestClock() });
      const fast = await startInstance(database, { clock: new TestClock() });
      const follower = await startInstance(database, { clock: new TestClock() });
      const [one, two] = [await fast.login('alice'), await fast.login('bob')];

      // In several statements, so that it has its position before its commit.
      jest.spyOn(AppendAtOnce.prototype, 'run').mockResolvedValueOnce(undefined);
      const isCommitting = proxy.next(COMMIT, 'freeze');
      const first = slow.logout.logout(one);
      await isCommitting;
      const second = fast.logout.logout(two);
      await eventually(async () => (await countLockWaits(application)) === 1);
      await follow(follower);
      expect(follower.cursor.position).toBe(0);
      proxy.thaw();
      await Promise.all([first, second]);
      await follow(follower);

      expect(follower.cursor.position).toBe(2);
      expect(await follower.judge(one)).toBe('session_ended');
      expect(await follower.judge(two)).toBe('session_ended');
      for (const instance of [slow, fast, follower]) await instance.close();
      jest.restoreAllMocks();
      await proxy.close();
    });
  });
});
