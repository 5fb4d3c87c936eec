import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { WrongHost } from '../../support/wrong-host.js';
import { readEvents } from '../../support/log-tables.js';
import { endSessions } from '../../support/controlled-instance.js';

const HOUR = 3_600_000;

describe('T2: the purge uses clocks that agree', () => {
  describeOn(databaseKinds, 'the purge', (kind) => {
    let database: TestDatabase;
    let here: Instance | undefined;

    beforeEach(async () => {
      database = await kind.migrated();
    });

    afterEach(async () => {
      await here?.close();
      here = undefined;
      await database?.drop();
    });

    /** Three events an hour old; `left` says how long the first two are still to be kept. */
    const start = async (offset: number, left: number): Promise<Instance> => {
      here = await startInstance(database, { clock: new WrongHost(offset) });
      await endSessions(here, 3);
      // The times that the library wrote are the database's own, whatever the host believes.
      const [{ until = 0, createdAt = 0 } = {}] = await readEvents(here.dataSource);
      const now = createdAt;
      expect(Math.abs(now - Date.now())).toBeLessThan(HOUR / 2);
      expect(until).toBeGreaterThan(now);
      await here.dataSource.query(
        `UPDATE auth_event SET created_at = ${now - HOUR}, keep_until = ${now + left}`,
      );
      return here;
    };

    it('a purge by a host an hour fast deletes no row of an unexpired token', async () => {
      const instance = await start(HOUR, HOUR / 2);
      expect(await instance.purge.purge()).toBe(0);
      expect(await readEvents(instance.dataSource)).toHaveLength(3);
    });

    it('a purge by a host an hour slow deletes nothing', async () => {
      const instance = await start(-HOUR, -1_000);
      expect(await instance.purge.purge()).toBe(0);
      expect(await readEvents(instance.dataSource)).toHaveLength(3);
    });

    it('a purge by a host that is right to a minute deletes expired rows', async () => {
      const instance = await start(-50_000, -60_000);
      expect(await instance.purge.purge()).toBe(2);
    });
  });
});
