import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { createClient } from 'redis';
import { DataSource } from 'typeorm';
import { OTHER_FEEDS, REDIS_URL } from './wrong-feeds/other-feeds.js';
import { SimulatedCluster } from './wrong-feeds/simulated-cluster.js';
import { playRightFeed } from './wrong-feeds/right-feed.js';
import { TABLE_FEEDS } from './wrong-feeds/table-feeds.js';
import { FOLLOWING_READINGS } from './wrong-feeds/following-readings.js';
import { WRITING_READINGS } from './wrong-feeds/writing-readings.js';
import { describeOn, postgres, type TestDatabase } from '../support/databases.js';

const hasRedis = await answers(REDIS_URL);

/** The interleavings and the verdicts of the checker are in docs/wrong-feeds.md. */
describe('a broken feed is caught by the checker', () => {
  describeOn([postgres], 'in a history', (kind) => {
    let database: TestDatabase;
    let dataSource: DataSource;

    beforeEach(async () => {
      database = await kind.migrated();
      dataSource = await new DataSource({ type: 'postgres', url: database.url }).initialize();
    });

    afterEach(async () => {
      await dataSource?.destroy();
      await database?.drop();
    });

    it('the checker accepts the right feed: positions from a head row that is locked last', async () => {
      const cluster = new SimulatedCluster();
      await playRightFeed(cluster, { url: database.url, dataSource });
      expect(cluster.verdict().text).toBe('');
    });

    for (const { name, breaks, play } of [...TABLE_FEEDS, ...OTHER_FEEDS]) {
      const test = name.startsWith('Redis') && !hasRedis ? it.skip : it;
      test(`${name}: ${breaks}`, async () => {
        const cluster = new SimulatedCluster();
        await play(cluster, { url: database.url, dataSource });
        const { violations, text } = cluster.verdict();
        console.info(`${name}\n${text}`);
        expect(violations.map(({ promise }) => promise)).toEqual([breaks]);
      });
    }
  });
});

it('docs/wrong-feeds.md lists every broken feed and every broken reader, and what it breaks', () => {
  const lines = readFileSync('docs/wrong-feeds.md', 'utf8').split('\n');
  for (const { name, why, breaks } of [...TABLE_FEEDS, ...OTHER_FEEDS]) {
    const line = lines.find((each) => each.startsWith(`| ${name} | ${why} |`));
    expect([name, line?.endsWith(`| ${breaks} |`)]).toEqual([name, true]);
  }
  for (const { rule, name, breaks } of [...FOLLOWING_READINGS, ...WRITING_READINGS]) {
    const line = lines.find((each) => each.startsWith(`| ${rule} | ${name} |`));
    expect([name, line?.endsWith(`| ${breaks} |`)]).toEqual([name, true]);
  }
});

async function answers(url: string): Promise<boolean> {
  const client = createClient({ url, socket: { reconnectStrategy: false } });
  client.on('error', () => undefined);
  try {
    await client.connect();
    client.destroy();
    return true;
  } catch {
    return false;
  }
}
