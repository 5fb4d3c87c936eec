import Database from 'better-sqlite3';
import { Client } from 'pg';
import { createClient } from 'redis';
import { DataSource } from 'typeorm';
import { eventually } from '../../support/eventually.js';
import { BOUND } from './simulated-cluster.js';
import type { WrongFeed } from './wrong-feed.js';

/** Where Redis answers; the feed that needs it is skipped by name where it does not. */
export const REDIS_URL = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';

/** Feeds that read no table of the primary: pushes, replicas, and SQLite's row ids. */
export const OTHER_FEEDS: readonly WrongFeed[] = [
  {
    name: 'LISTEN/NOTIFY alone',
    why: 'a message sent while the connection is down is lost, and nothing reports it',
    breaks: 'P2',
    play: async (cluster, { url, dataSource }) => {
      const follower = cluster.instance('B', async () => {
        await listener?.query('SELECT 1'); // "the connection is alive, so nothing was missed"
        return { ended: [], isFresh: true };
      });
      let heard = 0;
      let listener: Client | undefined;
      const listen = async (): Promise<void> => {
        listener = new Client(url);
        listener.on('error', () => undefined);
        listener.on('notification', ({ payload }) => {
          follower.hear(payload ?? '');
          heard++;
        });
        await listener.connect();
        await listener.query('LISTEN logouts');
      };
      const notify = (sid: string): Promise<unknown> =>
        dataSource.query('SELECT pg_notify($1, $2)', ['logouts', sid]);
      await cluster.login('heard', 'missed');
      await listen();
      await cluster.logout('heard', () => notify('heard'));
      await eventually(() => heard === 1);
      await listener?.end();
      await cluster.logout('missed', () => notify('missed'));
      await listen();
      await follower.poll();
      cluster.time.pass(BOUND);
      await follower.poll();
      await follower.me('missed');
      await listener?.end();
    },
  },
  {
    name: 'Redis pub/sub alone',
    why: 'it delivers at most once: a subscriber that reconnects has missed messages and does not know it',
    breaks: 'P2',
    play: async (cluster) => {
      const publisher = await createClient({ url: REDIS_URL }).connect();
      const subscriber = publisher.duplicate();
      const channel = `logouts-${process.pid}-${performance.now()}`;
      let heard = 0;
      const follower = cluster.instance('B', async () => ({
        ended: [],
        isFresh: subscriber.isReady,
      }));
      const listen = async (): Promise<void> => {
        await subscriber.connect();
        await subscriber.subscribe(channel, (sid) => {
          follower.hear(sid);
          heard++;
        });
      };
      await cluster.login('heard', 'missed');
      await listen();
      await cluster.logout('heard', () => publisher.publish(channel, 'heard'));
      await eventually(() => heard === 1);
      subscriber.destroy();
      await cluster.logout('missed', () => publisher.publish(channel, 'missed'));
      await listen();
      await follower.poll();
      cluster.time.pass(BOUND);
      await follower.poll();
      await follower.me('missed');
      subscriber.destroy();
      publisher.destroy();
    },
  },
  {
    name: 'reading a replica',
    why: 'its lag has no bound: a replica that is cut off still answers, with the old head',
    breaks: 'P2',
    play: async (cluster, { url, dataSource }) => {
      const replicaUrl = new URL(url);
      const name = `${replicaUrl.pathname.slice(1)}_replica`;
      await dataSource.query('CREATE TABLE log (id bigserial PRIMARY KEY, sid text)');
      const admin = new URL(url);
      admin.pathname = '/postgres';
      replicaUrl.pathname = `/${name}`;
      // A detached standby has the state of the primary at one moment, and nothing later.
      const replica = new DataSource({ type: 'postgres', url: replicaUrl.href });
      await withDatabase(admin.href, `CREATE DATABASE ${name}`);
      await replica.initialize();
      await replica.query('CREATE TABLE log (id bigserial PRIMARY KEY, sid text)');
      const follower = cluster.instance('B', async () => ({
        ended: ((await replica.query('SELECT sid FROM log')) as { sid: string }[]).map(
          ({ sid }) => sid,
        ),
        isFresh: true,
      }));
      await cluster.login('one');
      await follower.poll();
      await cluster.logout('one', () => dataSource.query("INSERT INTO log (sid) VALUES ('one')"));
      cluster.time.pass(BOUND);
      await follower.poll();
      await follower.me('one');
      await replica.destroy();
      await withDatabase(admin.href, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  },
  {
    name: 'SQLite row ids without AUTOINCREMENT',
    why: 'a purge deletes the newest row, and the next insert gets its id again, behind the cursor',
    breaks: 'P2',
    play: async (cluster) => {
      const sqlite = new Database(':memory:');
      sqlite.exec('CREATE TABLE log (id INTEGER PRIMARY KEY, sid TEXT)');
      const append = sqlite.prepare('INSERT INTO log (sid) VALUES (?)');
      const select = sqlite.prepare('SELECT id, sid FROM log WHERE id > ? ORDER BY id');
      let cursor = 0;
      const follower = cluster.instance('B', async () => {
        const rows = select.all(cursor) as { id: number; sid: string }[];
        cursor = rows.at(-1)?.id ?? cursor;
        return { ended: rows.map(({ sid }) => sid), isFresh: true };
      });
      await cluster.login('old', 'new');
      await cluster.logout('old', async () => append.run('old'));
      await follower.poll();
      cluster.time.pass(900_000);
      sqlite.exec('DELETE FROM log WHERE id = 1'); // its token has expired
      await cluster.logout('new', async () => append.run('new'));
      await follower.poll();
      cluster.time.pass(BOUND);
      await follower.poll();
      await follower.me('new');
      sqlite.close();
    },
  },
];

async function withDatabase(url: string, sql: string): Promise<void> {
  const client = new Client(url);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
