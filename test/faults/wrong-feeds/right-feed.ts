import { ask, begin, commit, fresh, lookAfterBound } from './steps.js';
import type { SimulatedCluster } from './simulated-cluster.js';
import type { WrongFeedDatabase } from './wrong-feed.js';

/** W1, to show that the harness accepts a correct feed: positions from a head row, locked last. */
export async function playRightFeed(
  cluster: SimulatedCluster,
  { dataSource }: WrongFeedDatabase,
): Promise<void> {
  await ask(dataSource, 'CREATE TABLE head AS SELECT 0::bigint AS position');
  await ask(dataSource, 'CREATE TABLE log (position bigint PRIMARY KEY, sid text)');
  const append = (sid: string): string =>
    'WITH raised AS (UPDATE head SET position = position + 1 RETURNING position) ' +
    `INSERT INTO log SELECT position, '${sid}' FROM raised`;
  let cursor = 0;
  const follower = cluster.instance('B', async () => {
    const rows = await ask(
      dataSource,
      'SELECT e.*, h.position AS head FROM head h LEFT JOIN log e ON e.position > $1 ORDER BY e.position',
      [cursor],
    );
    const events = rows.filter((row) => row['sid'] !== null);
    cursor = Number(events.at(-1)?.['position'] ?? cursor);
    return { ...fresh(events), isFresh: cursor === Number(rows[0]?.['head']) };
  });
  await cluster.login('slow', 'fast');
  const first = await begin(dataSource, append('slow'));
  const second = cluster.logout('fast', () => ask(dataSource, append('fast'))); // waits for the head
  await follower.poll();
  await cluster.logout('slow', () => commit(first));
  await second;
  await lookAfterBound(cluster, follower, 'slow');
  await follower.me('fast');
  await follower.settle();
}
