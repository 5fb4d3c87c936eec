import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { type AuthEvent, AuthEvents } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { codeOf, login } from '../../support/session-acts.js';

describeOn(
  databaseKinds,
  'S17: a refresh token that is presented after its session ended',
  (kind) => {
    let database: TestDatabase;
    let clock: TestClock;
    let instance: Instance;
    let told: AuthEvent[];

    beforeEach(async () => {
      database = await kind.migrated();
      clock = new TestClock();
      instance = await startInstance(database, { clock });
      told = [];
      instance.app.get(AuthEvents).subscribe((event) => told.push(event));
    });

    afterEach(async () => {
      await instance?.close();
      await database?.drop();
    });

    /**
     * The event and the class with which the presented token is reported; the answer never shows
     * them.
     */
    const reportOf = async (token: string, idempotencyKey?: string): Promise<string> => {
      expect(await codeOf(instance.sessions.refresh(token, { idempotencyKey }))).toBe(
        'session_ended',
      );
      const { type, reuse } = told.at(-1) ?? {};
      return reuse === undefined ? String(type) : `${type}: ${reuse}`;
    };
    const refresh = async (token: string, idempotencyKey?: string): Promise<string> =>
      (await instance.sessions.refresh(token, { idempotencyKey })).refreshToken ?? '';

    it('a refresh token is reported at once if its successor was presented in the logout', async () => {
      const { refreshToken } = await login(instance, 'alice');
      await instance.logout.logout(await refresh(refreshToken));
      expect(await reportOf(refreshToken)).toBe('refresh_reused: after_end');
    });

    it('a refresh token is reported at once if its successor was used', async () => {
      const { refreshToken, accessToken } = await login(instance, 'alice');
      await refresh(await refresh(refreshToken));
      await instance.logout.logout(accessToken);
      expect(await reportOf(refreshToken)).toBe('refresh_reused: after_end');
    });

    it.each(['logout', 'logoutAll'] as const)(
      'a refresh token is reported once its grace is over, after a %s',
      async (act) => {
        const { refreshToken, accessToken } = await login(instance, 'alice');
        await refresh(refreshToken);
        if (act === 'logout') await instance.logout.logout(accessToken);
        else await instance.logout.logoutAll('alice');
        expect(await reportOf(refreshToken)).toBe('refresh_refused');
        clock.advance(10_001);
        expect(await reportOf(refreshToken)).toBe('refresh_reused: after_end');
      },
    );

    it('a refresh token is reported after a logout of the whole account if its successor was used', async () => {
      const { refreshToken } = await login(instance, 'alice');
      await refresh(await refresh(refreshToken));
      await instance.logout.logoutAll('alice');
      expect(await reportOf(refreshToken)).toBe('refresh_reused: after_end');
    });

    it('a refresh token is not reported if no one used it before, or only its own logout did', async () => {
      const { refreshToken } = await login(instance, 'alice');
      await instance.logout.logout(refreshToken);
      clock.advance(60_000);
      expect(await reportOf(refreshToken)).toBe('refresh_refused');
    });

    it('a refresh token is not reported if it proves to be a retry', async () => {
      const key = randomUUID();
      const { refreshToken, accessToken } = await login(instance, 'alice');
      await refresh(refreshToken, key);
      await instance.logout.logout(accessToken);
      clock.advance(60_000);
      expect(await reportOf(refreshToken, key)).toBe('refresh_refused');
      expect(await reportOf(refreshToken)).toBe('refresh_reused: after_end');
    });
  },
);
