import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ApiTokenService, AuthException } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { clockOf } from '../../support/controlled-instance.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { StorageFailure } from '../../support/internals.js';
import { codeOf } from '../../support/session-acts.js';

const LIMIT = 3;

describe('AT-05 apiTokens.limit', () => {
  describeOn(databaseKinds, 'how many API tokens an account may have', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let there: Instance;

    beforeEach(async () => {
      database = await kind.migrated();
      const options = {
        apiTokens: { limit: LIMIT },
        accessTokens: 'opaque',
      } as const;
      const clock = new TestClock();
      here = await startInstance(database, { clock, options });
      there = await startInstance(database, { clock, options });
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      await there?.close();
      await here?.close();
      await database?.drop();
    });

    const issue = (
      at: Instance = here,
      subject = 'alice',
      more: object = {},
    ): ReturnType<ApiTokenService['issue']> =>
      at.app.get(ApiTokenService).issue(subject, { name: 'backup', ...more });

    /** How many more the account gets. */
    const left = async (): Promise<number> => {
      for (let count = 0; count <= LIMIT; count++) {
        const refused = await codeOf(issue());
        if (refused === 'too_many_api_tokens') return count;
      }
      throw new Error('There was no end.');
    };

    it('the limit holds exactly when two instances issue API tokens at the same time', async () => {
      for (const subject of ['alice', 'bob', 'carol', 'dave', 'eve']) {
        const tried = await Promise.allSettled(
          Array.from({ length: 12 }, (_, number) => issue(number % 2 ? here : there, subject)),
        );
        const refusals = tried.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
        expect(refusals).toHaveLength(12 - LIMIT);
        for (const refused of refusals) {
          expect(refused).toBeInstanceOf(AuthException);
          expect(refused).toMatchObject({ code: 'too_many_api_tokens', status: 409 });
        }
        expect(await here.app.get(ApiTokenService).list(subject)).toHaveLength(LIMIT);
      }
    });

    it('the limit counts neither revoked or expired API tokens nor access tokens of logins', async () => {
      await here.login();
      await here.login();
      const tokens = here.app.get(ApiTokenService);
      const first = await issue(here, 'alice', { expiresIn: '1h' });
      const [second, third] = [await issue(), await issue()];
      expect(await left()).toBe(0);

      await tokens.revoke(second.info.id);
      expect(await left()).toBe(1);
      // The row of this one is not marked before the next purge.
      await here.logout.logout(third.token);
      expect(await left()).toBe(1);
      clockOf(here).advance(2 * 3_600_000);
      expect(await left()).toBe(1);
      expect(await here.judge(first.token)).toBe('token_expired');
      await there.logout.logoutAll('alice');
      expect(await left()).toBe(LIMIT);
    });

    it('an API token that was stored but not returned is not counted twice', async () => {
      await issue();
      await issue();
      const { database: connections } = await here.open();
      const commit = connections.transaction.bind(connections);
      const lost = jest.spyOn(connections, 'transaction').mockImplementationOnce(async (body) => {
        await commit(body);
        throw new StorageFailure('unknown', 'The answer to COMMIT was lost.', true);
      });
      expect((await issue()).token).toMatch(/^nlt_/);
      expect(lost).toHaveBeenCalledTimes(2);
      expect(await left()).toBe(0);
    });

    it('an API token that is revoked in the caller’s transaction counts until the commit', async () => {
      if (kind.name === 'SQLite') return; // The gate of SQLite has its own tests.
      const [{ info }] = [await issue(), await issue(), await issue()];
      await here.dataSource.transaction(async (manager) => {
        await here.app.get(ApiTokenService).revoke(info.id, { manager });
        expect(await left()).toBe(0);
      });
      expect(await left()).toBe(1);
    });
  });
});
