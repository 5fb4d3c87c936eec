import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { letTimePass } from '../../support/controlled-instance.js';
import { claimsIn, readEvents } from '../../support/log-tables.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The largest tolerance that is legal, and as much again. */
const BEYOND_EXPIRY = 2 * MINUTE;

const OWN = 'https://issuer.test';
const OURS = 'https://issuer.test';
const FOREIGN = 'https://foreign.test';

describe('W3: until when an event is kept', () => {
  describeOn(databaseKinds, 'retention', (kind) => {
    let database: TestDatabase;
    let clock: TestClock;
    let instance: Instance;

    const start = (accessTokenTtl: '15m' | '1h' = '15m'): Promise<Instance> =>
      startInstance(database, {
        clock,
        options: {
          accessTokenTtl,
          clockTolerance: 60,
          foreign: [{ issuer: FOREIGN, maxTokenLife: '15m', maxSessionLife: '8h' }],
        },
      });

    beforeEach(async () => {
      database = await kind.migrated();
      clock = new TestClock();
      instance = await start();
    });

    afterEach(async () => {
      await instance?.close();
      await database?.drop();
    });

    const keptFor = async (logout: Promise<{ keptUntil: Date | null }>): Promise<number> =>
      ((await logout).keptUntil?.getTime() ?? Infinity) - clock.database();
    /** What an instance says that knows only what the database kept. */
    const judgeCold = async (token: string): Promise<string> => {
      const cold = await start();
      const verdict = await cold.judge(token);
      await cold.close();
      return verdict;
    };

    it('an event of a session, an account or an issuer is kept until its last token has expired, and 120 s', async () => {
      const { logout } = instance;
      const longest = 15 * MINUTE + BEYOND_EXPIRY;
      expect(await keptFor(logout.logoutSession(randomUUID(), { issuer: OURS }))).toBe(longest);
      expect(await keptFor(logout.logoutAll('alice', { issuer: OURS }))).toBe(longest);
      expect(await keptFor(logout.revokeEveryone())).toBe(longest);
    });

    it('an event of a single token is kept until its expiry and 120 s, or from now if it has expired', async () => {
      const iat = Math.floor(clock.database() / SECOND);
      const token = { iss: OWN, sub: 'alice', iat, gen: 0 };
      const { keptUntil } = await instance.logout.logout({
        ...token,
        jti: randomUUID(),
        exp: iat + 300,
      });
      expect(keptUntil?.getTime()).toBe((iat + 300) * SECOND + BEYOND_EXPIRY);
      const expired = instance.logout.logout({ ...token, jti: randomUUID(), exp: iat - 300 });
      expect(await keptFor(expired)).toBe(BEYOND_EXPIRY);
    });

    it('retention counts the longest token lifetime that any instance has registered in the head', async () => {
      const other = await start('1h');
      expect(await keptFor(instance.logout.logoutAll('alice', { issuer: OURS }))).toBe(
        HOUR + BEYOND_EXPIRY,
      );
      await other.close();
      expect(await keptFor(instance.logout.logoutAll('alice', { issuer: OURS }))).toBe(
        HOUR + BEYOND_EXPIRY,
      );
    });

    it('retention counts the longest session of a foreign issuer', async () => {
      const { logout } = instance;
      const longest = 8 * HOUR + BEYOND_EXPIRY;
      expect(await keptFor(logout.logoutSession('x', { issuer: FOREIGN }))).toBe(longest);
      expect(await keptFor(logout.logoutAll('x', { issuer: FOREIGN }))).toBe(longest);
      expect(await keptFor(logout.revokeEveryone({ issuer: FOREIGN }))).toBe(longest);
    });

    it('an event of a key is kept for ever', async () => {
      const receipt = await instance.logout.revokeKey('leaked', { issuer: OURS });
      expect(receipt.keptUntil).toBeNull();
      await instance.logout.logoutSession(randomUUID(), { issuer: OURS });
      letTimePass(clock, 10 * 365 * 24 * HOUR);
      expect(await instance.purge.purge()).toBe(0);
      expect(await readEvents(instance.dataSource)).toMatchObject([
        { until: null },
        { until: null }, // for instances of older releases
        {},
      ]);
    });

    it('a row is there in its last millisecond, and can be deleted in the next', async () => {
      const { keptUntil } = await instance.logout.logoutSession(randomUUID(), { issuer: OURS });
      await instance.logout.logoutSession(randomUUID(), { issuer: OURS });
      const rest = (keptUntil?.getTime() ?? 0) - clock.database();
      letTimePass(clock, rest);
      expect(await instance.purge.purge()).toBe(0);
      letTimePass(clock, rest + 1);
      expect(await instance.purge.purge()).toBe(1);
      expect(await readEvents(instance.dataSource)).toMatchObject([{ position: 2 }]);
    });

    it('a token is refused after a purge and a restart while any instance could still accept it', async () => {
      const token = await instance.login('alice');
      const spared = await instance.login('bob');
      // The shortest retention there is: the event of this very token, ended at once.
      const { jti, exp } = claimsIn(token);
      await instance.logout.logout({ iss: OWN, sub: 'alice', jti, exp, iat: 0, gen: 0 });
      await instance.logout.logoutSession(randomUUID(), { issuer: OURS });

      // The last millisecond in which the largest tolerance accepts a token.
      const lastMoment = (exp + 60) * SECOND - 1;
      const began = clock.database();
      letTimePass(clock, lastMoment - began);
      await instance.purge.purge();
      expect(await judgeCold(token)).toBe('token_revoked');
      expect(await judgeCold(spared)).toBe('active');
      letTimePass(clock, lastMoment - began + 1);
      expect(await judgeCold(spared)).toBe('token_expired');
    });
  });
});
