import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AuthWiringError } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { countPending } from '../../support/log-tables.js';
import {
  clockOf,
  endSessions,
  followAgain,
  listenForErrors,
  NEVER_WAIT,
} from '../../support/controlled-instance.js';

describe('H5: what a newer release writes closes an older one', () => {
  describeOn(databaseKinds, 'an older release', (kind) => {
    let database: TestDatabase;
    let here: Instance;

    beforeEach(async () => {
      database = await kind.migrated();
      here = await startInstance(database, { clock: new TestClock(), options: NEVER_WAIT });
      listenForErrors();
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      await here?.close();
      await database?.drop();
    });

    const expectClosed = async (token: string, why: string): Promise<void> => {
      expect(await here.judge(token)).toBe('active');
      expect(await here.feed.strictProof()).toBe(false);
      // At once: the lease of the last proof does not run on.
      expect(clockOf(here).monotonic()).toBe(0);
      expect(await here.judge(token)).toBe('revocation_state_unknown');
      expect(String(here.feed.failure)).toContain(why);
    };

    it('an older release is closed by an event of an unknown kind', async () => {
      const token = await here.login('alice');
      const there = await startInstance(database, { clock: new TestClock() });
      await endSessions(there, 1);
      await there.close();
      await here.dataSource.query(`UPDATE auth_event SET kind = 'constellation'`);
      await expectClosed(token, 'kind "constellation"');
      expect(here.cursor.position).toBe(0);
    });

    it('an older release is closed by a pending event of an unknown kind, and gives it no position', async () => {
      const token = await here.login('alice');
      await here.dataSource.query('UPDATE auth_head SET format = 2');
      await here.dataSource.transaction(async (manager) => {
        await here.logout.logoutSession('theirs', { manager });
        await manager.query(`UPDATE auth_pending SET kind = 'client'`);
      });
      await here.log.settlePending();
      expect(await countPending(here.dataSource)).toBe(1);
      await expectClosed(token, 'kind "client"');
    });

    it('an older release is closed by a format that was raised while it ran', async () => {
      await here.dataSource.query('UPDATE auth_head SET format = 3');
      await expectClosed(await here.login('alice'), 'format 3');
    });

    it('an older release opens again when it can understand the log again', async () => {
      await here.dataSource.query('UPDATE auth_head SET format = 3');
      await expectClosed(await here.login('alice'), 'format 3');
      await here.dataSource.query('UPDATE auth_head SET format = 1');
      await followAgain(here);
      expect(await here.judge(await here.login('alice'))).toBe('active');
    });

    it('an older release refuses to boot on an unknown format, and names it', async () => {
      await here.dataSource.query('UPDATE auth_head SET format = 3');
      const booting = startInstance(database, { clock: new TestClock() });
      await expect(booting).rejects.toThrow(AuthWiringError);
      await expect(booting).rejects.toThrow(/format 3.*newer release/s);
    });
  });
});
