import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ObservedCluster, type ObservedInstance } from './wrong-feeds/observed-cluster.js';
import { FOLLOWING_READINGS } from './wrong-feeds/following-readings.js';
import { WRITING_READINGS } from './wrong-feeds/writing-readings.js';
import { describeOn, postgres, type TestDatabase } from '../support/databases.js';

/** The interleavings and the verdicts of the checker are in docs/wrong-feeds.md. */
describe('a broken reader of protocol.md is caught by the checker', () => {
  describeOn([postgres], 'in the real library', (kind) => {
    let database: TestDatabase;
    let cluster: ObservedCluster;
    let a: ObservedInstance;
    let b: ObservedInstance;

    beforeEach(async () => {
      database = await kind.migrated();
      cluster = new ObservedCluster(database);
      a = await cluster.start();
      b = await cluster.start();
      jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
      jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      await cluster?.close();
      await database?.drop();
    });

    for (const { rule, name, breaks, patch, play } of [
      ...FOLLOWING_READINGS,
      ...WRITING_READINGS,
    ]) {
      it(`${rule}: ${name}: ${breaks}`, async () => {
        patch();
        await play(cluster, a, b);
        const { violations, text } = cluster.verdict();
        console.info(`${rule}: ${name}\n${text}`);
        expect(violations.map(({ promise }) => promise)).toContain(breaks);
      });

      it(`${rule} read correctly: the same order of steps breaks nothing`, async () => {
        await play(cluster, a, b);
        expect(cluster.verdict().text).toBe('');
      });
    }
  });
});
