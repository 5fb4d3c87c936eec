import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { TokenClaims } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { follow } from '../../support/log-tables.js';
import {
  clockOf,
  endSessions,
  ISSUER,
  knows,
  letTimePass,
  listenForErrors,
} from '../../support/controlled-instance.js';
import { refuseToNumber } from '../../support/unnumberable.js';

const DAY = 86_400_000;
const MINUTE = 60_000;
const LIFE = 900_000 + 120_000;

describe('X3: an instance that the purge overtook loads again and merges', () => {
  describeOn(databaseKinds, 'an instance that lags', (kind) => {
    let database: TestDatabase;
    let lagging: Instance;
    let there: Instance;
    let errors: () => string[];

    beforeEach(async () => {
      database = await kind.migrated();
      lagging = await startInstance(database, { clock: new TestClock() });
      there = await startInstance(database, { clock: new TestClock() });
      errors = listenForErrors();
    });

    afterEach(async () => {
      await lagging?.close();
      await there?.close();
      await database?.drop();
      jest.restoreAllMocks();
    });

    const pass = (milliseconds: number): void =>
      [lagging, there].forEach((instance) => letTimePass(clockOf(instance), milliseconds));

    it('an instance that lags behind the purge is brought up to date, and keeps what it knew', async () => {
      await endSessions(there, 3);
      await follow(lagging);
      await there.logout.revokeKey('leaked');
      await endSessions(there, 3);
      pass(DAY);
      const live = await endSessions(there, 4);
      expect(await there.purge.purge()).toBe(5); // all but those of the key, and the one before a young row
      await follow(lagging);
      expect(lagging.cursor.position).toBe(12);
      expect(live.filter((sid) => !knows(lagging, sid))).toEqual([]);
      expect(lagging.revocation.isKeyRevoked('leaked')).toBe(true);
      expect(errors()).toEqual([]);
    });

    it('an instance that lags does not take a purged, expired event for a loss', async () => {
      await endSessions(there, 3);
      await follow(lagging);
      // Half a second ago, by the database; the index counts in whole seconds.
      const boundary = Math.ceil(clockOf(there).database() / 1000) * 1000;
      await there.dataSource.query(
        `UPDATE auth_event SET created_at = 1, keep_until = ${boundary + LIFE + 100}`,
      );
      const restarted = await startInstance(database, { clock: new TestClock() });
      const now = boundary + LIFE + 600;
      pass(now - clockOf(there).database());
      letTimePass(clockOf(restarted), now - clockOf(restarted).database());
      await endSessions(there, 1);
      await there.dataSource.query(`UPDATE auth_event SET created_at = 1`);
      await endSessions(there, 1);
      expect(await there.purge.purge()).toBe(3);
      await follow(restarted);
      expect(errors()).toEqual([]);
      await restarted.close();
    });

    it('an instance that lags does not take the purged logout of a short-lived token, pending and then numbered, for a loss', async () => {
      const exp = Math.floor(clockOf(there).database() / 1000) + 5;
      const token = (jti: string): TokenClaims => {
        return { iss: ISSUER, sub: 'alice', jti, iat: exp - 60, exp };
      };
      const mayBeNumbered = await refuseToNumber(there.dataSource, 'token');
      await there.dataSource.transaction((manager) =>
        there.logout.logout(token('pending'), { manager }),
      );
      await follow(lagging);
      expect(lagging.index.find(token('pending'))).toBeDefined();
      await there.log.drain();
      await mayBeNumbered();
      pass(MINUTE); // Who was refused tries again.
      for (const instance of [there, lagging]) {
        await follow(instance);
        await instance.log.drain();
      }
      await follow(lagging);
      expect(lagging.cursor.position).toBe(1);

      // The row of the logout has expired with its token. The pending event was kept for the longest life
      // that a token may have.
      pass(5 * MINUTE);
      await endSessions(there, 2);
      await there.dataSource.query('UPDATE auth_event SET created_at = 1');
      await there.dataSource.query('UPDATE auth_event SET keep_until = 1 WHERE position = 2');
      await endSessions(there, 1);
      expect(await there.purge.purge()).toBe(2);
      await follow(lagging);
      expect(lagging.cursor.position).toBe(4);
      // A mover was refused, which is an error too.
      expect(errors().filter((line) => line.includes('known live events'))).toEqual([]);
    });

    it('a live event that is missing after the purge is a fork', async () => {
      await endSessions(there, 2);
      pass(DAY);
      const [lost] = await endSessions(there, 1);
      await follow(lagging);
      await endSessions(there, 3);
      await there.dataSource.query('DELETE FROM auth_event WHERE position <= 3');
      await there.dataSource.query('UPDATE auth_head SET purged_through = 3');
      await follow(lagging);
      expect(errors()).toEqual([expect.stringContaining('1 known live events')]);
      expect(knows(lagging, lost ?? '')).toBe(true);
    });
  });
});
