import type { DataSource } from 'typeorm';
import { BOUND, type SimulatedCluster, type SimulatedInstance } from './simulated-cluster.js';
import { ask, begin, commit, fresh, lookAfterBound, type Row } from './steps.js';
import type { WrongFeed } from './wrong-feed.js';

const INSERT = (sid: string): string => `INSERT INTO log (sid) VALUES ('${sid}')`;

/** `slow` is written first and committed last, with a poll in between. */
async function commitOutOfOrder(
  cluster: SimulatedCluster,
  dataSource: DataSource,
  follower: SimulatedInstance,
  slow: readonly string[] = [INSERT('slow')],
): Promise<void> {
  await cluster.login('slow', 'fast');
  const first = await begin(dataSource, ...slow);
  await cluster.logout('fast', () => ask(dataSource, INSERT('fast')));
  await follower.poll();
  await cluster.logout('slow', () => commit(first));
  await lookAfterBound(cluster, follower, 'slow');
}

/** Feeds that read a table, each with its own cursor. */
export const TABLE_FEEDS: readonly WrongFeed[] = [
  {
    name: '`WHERE id > cursor`',
    why: 'ids come from a sequence before the commit, so the cursor passes an id that is not visible yet',
    breaks: 'P2',
    play: async (cluster, { dataSource }) => {
      await ask(dataSource, 'CREATE TABLE log (id bigserial PRIMARY KEY, sid text)');
      let cursor = 0;
      const follower = cluster.instance('B', async () => {
        const rows = await ask(dataSource, 'SELECT * FROM log WHERE id > $1 ORDER BY id', [cursor]);
        cursor = Number(rows.at(-1)?.['id'] ?? cursor);
        return fresh(rows);
      });
      await commitOutOfOrder(cluster, dataSource, follower);
    },
  },
  {
    name: '`WHERE created_at > cursor`',
    why: '`now()` is the start of the transaction, so a longer transaction commits behind the cursor',
    breaks: 'P2',
    play: async (cluster, { dataSource }) => {
      await ask(dataSource, 'CREATE TABLE log (sid text, created_at timestamptz DEFAULT now())');
      let cursor = '-infinity';
      const follower = cluster.instance('B', async () => {
        const rows = await ask(
          dataSource,
          'SELECT sid, created_at::text FROM log WHERE created_at > $1::timestamptz ORDER BY created_at',
          [cursor],
        );
        cursor = rows.at(-1)?.['created_at'] ?? cursor;
        return fresh(rows);
      });
      await commitOutOfOrder(cluster, dataSource, follower);
    },
  },
  {
    name: '`created_at` with an overlapping window',
    why: 'a transaction that is open longer than the window commits behind it',
    breaks: 'P2',
    play: async (cluster, { dataSource }) => {
      await ask(dataSource, 'CREATE TABLE log (sid text, created_at timestamptz DEFAULT now())');
      const follower = cluster.instance('B', async () =>
        fresh(
          await ask(
            dataSource,
            "SELECT sid FROM log WHERE created_at > clock_timestamp() - interval '50 ms'",
          ),
        ),
      );
      // Longer than the window, by the database's own clock.
      const slow = [INSERT('slow'), 'SELECT pg_sleep(0.06)'];
      await commitOutOfOrder(cluster, dataSource, follower, slow);
    },
  },
  {
    name: '`xid < xmin` of the snapshot, with a cursor on ids',
    why: 'xid and id are assigned at different moments, so the later id can have the earlier xid',
    breaks: 'P2',
    play: async (cluster, { dataSource }) => {
      await ask(
        dataSource,
        'CREATE TABLE log (id bigserial PRIMARY KEY, sid text, xid xid8 DEFAULT pg_current_xact_id())',
      );
      let cursor = 0;
      const follower = cluster.instance('B', async () => {
        const rows = await ask(
          dataSource,
          'SELECT id::text, sid FROM log WHERE id > $1 ' +
            'AND xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY id',
          [cursor],
        );
        cursor = Number(rows.at(-1)?.['id'] ?? cursor);
        return fresh(rows);
      });
      await cluster.login('first', 'second');
      const one = await begin(dataSource, 'SELECT pg_current_xact_id()');
      const two = await begin(dataSource, INSERT('second')); // id 1, the later xid
      await one.query(INSERT('first')); // id 2, the earlier xid
      await cluster.logout('first', () => commit(one));
      await follower.poll(); // xmin is the other's xid: id 2 is seen, and the cursor is there
      await cluster.logout('second', () => commit(two));
      await lookAfterBound(cluster, follower, 'second');
    },
  },
  {
    name: 'waiting for `xmin` before an event is applied',
    why: 'any open transaction on the server, even in another database, holds back xmin: the feed stalls, and the instance then refuses every request',
    breaks: 'not stuck',
    play: async (cluster, { dataSource }) => {
      await ask(
        dataSource,
        'CREATE TABLE log (id bigserial, sid text, xid xid8 DEFAULT pg_current_xact_id())',
      );
      const follower = cluster.instance('B', async () => {
        const rows = await ask(
          dataSource,
          'SELECT sid, (xid < pg_snapshot_xmin(pg_current_snapshot()))::text AS settled FROM log',
        );
        const settled = rows.filter((row) => row['settled'] === 'true');
        return { ...fresh(settled), isFresh: settled.length === rows.length };
      });
      await cluster.login('one');
      await follower.settle();
      const stranger = await begin(dataSource, 'SELECT pg_current_xact_id()');
      await cluster.logout('one', () => ask(dataSource, INSERT('one')));
      cluster.time.pass(BOUND);
      await follower.settle(); // the other application has nothing to do with the log
      await commit(stranger);
    },
  },
  {
    name: 'a REPEATABLE READ transaction that is kept open',
    why: 'its snapshot is frozen: every poll is answered, and no answer shows anything new',
    breaks: 'P2',
    play: async (cluster, { dataSource }) => {
      await ask(dataSource, 'CREATE TABLE log (id bigserial PRIMARY KEY, sid text)');
      const runner = dataSource.createQueryRunner();
      await runner.startTransaction('REPEATABLE READ');
      const follower = cluster.instance('B', async () =>
        fresh((await runner.query('SELECT sid FROM log')) as Row[]),
      );
      await cluster.login('one');
      await follower.poll();
      await cluster.logout('one', () => ask(dataSource, INSERT('one')));
      await lookAfterBound(cluster, follower, 'one');
      await commit(runner);
    },
  },
  {
    name: 'a cursor that is kept over a failover',
    why: 'the promoted replica lacks two commits and assigns their numbers again',
    breaks: 'P2',
    play: async (cluster, { dataSource }) => {
      await ask(dataSource, 'CREATE TABLE log (id bigserial PRIMARY KEY, sid text)');
      let cursor = 0;
      const follower = cluster.instance('B', async () => {
        const rows = await ask(dataSource, 'SELECT * FROM log WHERE id > $1 ORDER BY id', [cursor]);
        cursor = Number(rows.at(-1)?.['id'] ?? cursor);
        return fresh(rows);
      });
      await cluster.login('1', '2', '3', '4', 'later');
      for (const sid of ['1', '2', '3', '4']) {
        await cluster.logout(sid, () => ask(dataSource, INSERT(sid)));
      }
      await follower.poll();
      await ask(dataSource, 'DELETE FROM log WHERE id > 2');
      await ask(dataSource, "SELECT setval('log_id_seq', 2)");
      await cluster.logout('later', () => ask(dataSource, INSERT('later'))); // id 3 once more
      await lookAfterBound(cluster, follower, 'later');
    },
  },
  {
    name: 'a cursor that is kept over a purge, with positions from `max(position) + 1`',
    why: 'the purge deletes the last row, positions start again, and the cursor is far ahead of them',
    breaks: 'P2',
    play: async (cluster, { dataSource }) => {
      await ask(dataSource, 'CREATE TABLE log (position bigint PRIMARY KEY, sid text)');
      const append = (sid: string): Promise<Row[]> =>
        ask(dataSource, 'INSERT INTO log SELECT COALESCE(MAX(position), 0) + 1, $1 FROM log', [
          sid,
        ]);
      let cursor = 0;
      const follower = cluster.instance('B', async () => {
        const rows = await ask(
          dataSource,
          'SELECT * FROM log WHERE position > $1 ORDER BY position',
          [cursor],
        );
        cursor = Number(rows.at(-1)?.['position'] ?? cursor);
        return fresh(rows);
      });
      await cluster.login('old', 'new');
      await cluster.logout('old', () => append('old'));
      await follower.poll();
      cluster.time.pass(900_000);
      await ask(dataSource, 'DELETE FROM log'); // its token has expired
      await cluster.logout('new', () => append('new'));
      await lookAfterBound(cluster, follower, 'new');
    },
  },
];
