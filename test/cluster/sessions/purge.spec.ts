import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AccountService } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { eventually } from '../../support/eventually.js';
import { codeOf, login } from '../../support/session-acts.js';

const DAY = 86_400_000;

describe('the rows of a login after its end', () => {
  describeOn(databaseKinds, 'the purge', (kind) => {
    let database: TestDatabase;
    let clock: TestClock;
    let here: Instance;

    beforeEach(async () => {
      database = await kind.migrated();
      clock = new TestClock();
      here = await startInstance(database, { clock, options: { historyFor: '7d' } });
    });

    afterEach(async () => {
      await here?.close();
      await database?.drop();
    });

    const count = async (table: string, where = '1 = 1'): Promise<number> => {
      const rows = (await here.dataSource.query(
        `SELECT COUNT(*) AS n FROM ${table} WHERE ${where}`,
      )) as { n: string }[];
      return Number(rows[0]?.n);
    };

    /**
     * The purge that a timer started when the clock moved may be running, and then no other one
     * runs.
     */
    const purged = (isDone: () => Promise<boolean>): Promise<void> =>
      eventually(async () => {
        await here.purge.purge();
        return isDone();
      });

    it('the purge keeps ended logins for as long as configured, and their tokens no longer', async () => {
      const ended = await login(here, 'ended');
      const marked = await login(here, 'marked');
      const kept = await login(here, 'kept');
      await here.logout.logout(ended.accessToken);
      await here.logout.logoutAll('marked');
      clock.advance(6 * DAY);
      await here.purge.purge();
      expect(await count('auth_session')).toBe(3);
      const next = await here.sessions.refresh(kept.refreshToken);
      clock.advance(2 * DAY);
      await purged(async () => (await count('auth_session')) === 1);
      await purged(async () => (await count('auth_subject')) === 0);
      expect(await count('auth_refresh')).toBe(2);
      expect(await count('auth_refresh', 'sealed_successor IS NOT NULL')).toBe(0);
      for (const { refreshToken } of [ended, marked]) {
        expect(await codeOf(here.sessions.refresh(refreshToken))).toBe('refresh_token_invalid');
      }
      // The token that was replaced is still recognised.
      expect(await codeOf(here.sessions.refresh(kept.refreshToken))).toBe('refresh_token_reused');
      expect(next.sessionId).toBe(kept.sessionId);
    });

    it('the purge keeps the cut-offs of accounts that may not log in, or whose sessions are remembered', async () => {
      await login(here, 'alice');
      await here.app.get(AccountService).disable('mallory');
      await here.logout.logoutAll('alice');
      clock.advance(3 * DAY);
      await here.purge.purge();
      expect(await count('auth_subject')).toBe(2);
      clock.advance(30 * DAY);
      await purged(async () => (await count('auth_subject')) === 1);
      expect(await codeOf(login(here, 'mallory'))).toBe('account_disabled');
    });

    it('the purge keeps the cut-off of a grant for longer than a login may take', async () => {
      const since = await here.sessions.position();
      await here.logout.logoutGrant('a');
      clock.advance(3_500_000);
      await here.purge.purge();
      const late = here.sessions.login({ subject: 'alice' }, { grant: 'a', since });
      expect(await codeOf(late)).toBe('session_ended');
      clock.advance(2 * DAY);
      await purged(async () => (await count('auth_subject')) === 0);
      expect(await codeOf(here.sessions.login(() => ({ subject: 'alice' }), { grant: 'a' }))).toBe(
        'good',
      );
    });
  });
});
