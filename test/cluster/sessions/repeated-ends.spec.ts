import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { AccountService, type AuthEvent, AuthEvents, type LogoutReceipt } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { clockOf } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';
import { claimsIn, follow, headPosition, readEvents } from '../../support/log-tables.js';

const PARTNER = 'https://partner.test';
/** Longer than any event of these tests is kept: a foreign session lasts two hours. */
const LONG_AFTER = 3 * 3_600_000;

describe('ending a token or session that has ended writes nothing', () => {
  describeOn(databaseKinds, 'a repeated end', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let there: Instance;
    let subject: string;
    let token: string;

    beforeAll(async () => {
      database = await kind.migrated();
      const foreign = [{ issuer: PARTNER, maxTokenLife: '1h', maxSessionLife: '2h' }] as const;
      here = await startInstance(database, { clock: new TestClock(), options: { foreign } });
      there = await startInstance(database, { clock: new TestClock(), options: { foreign } });
    });

    beforeEach(async () => {
      subject = randomUUID();
      token = await here.login(subject);
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      await follow(here);
      await follow(there);
    });

    afterAll(async () => {
      await here?.close();
      await there?.close();
      await database?.drop();
    });

    /** How many events were written by the call; a purge in between removes none. */
    const written = async (acts: () => Promise<unknown>): Promise<number> => {
      const before = await headPosition(here.dataSource);
      await acts();
      return (await headPosition(here.dataSource)) - before;
    };
    const foreignToken = (more: object = {}): { iss: string; jti: string; exp: number } => {
      const iat = Math.floor(clockOf(here).wall() / 1000);
      return { iss: PARTNER, jti: randomUUID(), exp: iat + 600, ...more };
    };

    it('a repeated end is one event, on any instance, one after the other or at once', async () => {
      expect(
        await written(async () => {
          for (const one of [here, there, here, there]) await one.logout.logout(token);
          const sid = claimsIn(token).sid;
          await Promise.all(
            Array.from({ length: 40 }, (_, n) =>
              n % 2 === 0 ? here.logout.logout(token) : there.logout.logoutSession(sid),
            ),
          );
        }),
      ).toBe(1);
    });

    it('concurrent logouts of one session are one event', async () => {
      const logouts = (): Promise<unknown> =>
        Promise.all(Array.from({ length: 40 }, () => here.logout.logout(token)));
      expect(await written(logouts)).toBe(1);
    });

    it('the receipt of a repeated end names the event and is true', async () => {
      const first = await here.logout.logout(token);
      let again: LogoutReceipt | undefined;
      void there.logout.logout(token, { wait: 'everywhere' }).then((receipt) => (again = receipt));
      await eventually(() => {
        clockOf(there).advance(50);
        return again !== undefined;
      });
      expect(again?.events).toEqual(first.events);
      expect(again?.keptUntil).toEqual(first.keptUntil);
      await again?.applied();
      expect(await there.judge(token)).toBe('session_ended');
    });

    it('a repeated end of a token without a session is one event', async () => {
      const foreign = foreignToken();
      expect(
        await written(async () => {
          await here.logout.logout(foreign);
          await there.logout.logout(foreign);
        }),
      ).toBe(1);
      await expect(
        there.revocation.assertActive({ ...foreign, sub: 'carol', iat: foreign.exp - 600 }),
      ).rejects.toMatchObject({ code: 'token_revoked' });
    });

    it('claims with a later expiry of the same token are an event of their own', async () => {
      const foreign = foreignToken();
      const longer = { ...foreign, exp: foreign.exp + 600 };
      expect(
        await written(async () => {
          await here.logout.logout(foreign);
          await here.logout.logout(longer);
          await here.logout.logout(foreign);
        }),
      ).toBe(2);
    });

    it('a repeated end reports no AuthEvent, because nothing happened', async () => {
      const heard: AuthEvent[] = [];
      const subscription = here.app.get(AuthEvents).subscribe((event) => heard.push(event));
      await here.logout.logout(token);
      await here.logout.logout(token);
      subscription.unsubscribe();
      expect(heard.map(({ type }) => type)).toEqual(['logout']);
    });

    it('a repeated end is written again if the database lost the first one, whatever the index remembers', async () => {
      await here.logout.logout(token);
      const { dataSource } = here;
      const last = (await readEvents(dataSource)).at(-1);
      await dataSource.query(
        `UPDATE auth_event SET keep_until = 0 WHERE position = ${last?.position}`,
      );
      await dataSource.query('UPDATE auth_session SET ended_at = NULL, end_reason = NULL');
      expect(await here.judge(token)).toBe('session_ended');
      expect(await written(() => here.logout.logout(token))).toBe(1);
    });

    it('a repeated end is written again if the first event was purged too early, although the session has ended', async () => {
      await here.logout.logout(token);
      const last = (await readEvents(here.dataSource)).at(-1);
      await here.dataSource.query(
        `UPDATE auth_event SET keep_until = 0 WHERE position = ${last?.position}`,
      );
      await here.dataSource.query('UPDATE auth_session SET ended_at = ended_at - 60000');
      expect(await written(() => here.logout.logout(token))).toBe(1);
    });

    it('a repeated act on an account, an issuer or a key is written each time', async () => {
      const accounts = here.app.get(AccountService);
      const acts = [
        () => here.logout.logoutAll(subject, { issuer: 'https://issuer.test' }),
        () => accounts.passwordChanged(subject),
        () => accounts.claimsChanged(subject),
        () => here.logout.revokeEveryone(),
      ];
      for (const act of acts) {
        expect(
          await written(async () => {
            await act();
            await act();
          }),
        ).toBe(2);
      }
      const revokeKey = (): Promise<unknown> =>
        here.logout.revokeKey('a key of nobody', { issuer: PARTNER });
      expect(
        await written(async () => {
          await revokeKey();
          await revokeKey();
        }),
      ).toBe(4); // each time one for instances of older releases, too
      const fresh = await here.login(subject);
      expect(
        await written(async () => {
          await here.logout.logoutOthers(fresh);
          await here.logout.logoutOthers(fresh);
        }),
      ).toBe(2);
    });

    describe('hours later', () => {
      it('a repeated end is an event of its own when the first one has expired, because a foreign issuer may go on', async () => {
        const foreign = { ...foreignToken(), sid: randomUUID() };
        await here.logout.logout(foreign);
        clockOf(here).advance(LONG_AFTER);
        clockOf(there).advance(LONG_AFTER);
        await follow(here);
        expect(await written(() => here.logout.logout(foreign))).toBe(1);
      });

      it('a repeated end is no event for an expired token of a removed account', async () => {
        await here.app.get(AccountService).remove(subject);
        await here.logout.logout(token);
        clockOf(here).advance(901_000);
        clockOf(there).advance(901_000);
        await follow(here);
        expect(await written(() => here.logout.logout(token))).toBe(0);
      });

      it('a repeated end is no event when the first one was purged long ago', async () => {
        await here.logout.logout(token);
        clockOf(here).advance(LONG_AFTER);
        clockOf(there).advance(LONG_AFTER);
        await follow(here);
        const { dataSource } = here;
        const key = (await readEvents(dataSource)).at(-1)?.id ?? '';
        await dataSource.query(
          `UPDATE auth_event SET keep_until = 0 WHERE ${hexOf(kind.name)} = '${key}'`,
        );
        let receipt: LogoutReceipt | undefined;
        expect(await written(async () => (receipt = await here.logout.logout(token)))).toBe(0);
        expect(receipt).toMatchObject({ events: [], keptUntil: null });
      });
    });
  });
});

function hexOf(database: string): string {
  if (database === 'PostgreSQL') return `encode(event_id, 'hex')`;
  return 'lower(hex(event_id))';
}
