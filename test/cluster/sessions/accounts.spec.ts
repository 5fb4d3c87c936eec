import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AccountService, AuthException, type LoginResult } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';

async function codeOf(act: Promise<unknown>): Promise<string> {
  try {
    await act;
    return 'good';
  } catch (error) {
    if (error instanceof AuthException) return error.code;
    throw error;
  }
}

describe('accounts', () => {
  describeOn(databaseKinds, 'an account', (kind) => {
    let database: TestDatabase;
    let clock: TestClock;
    let here: Instance;
    let accounts: AccountService;

    beforeEach(async () => {
      database = await kind.migrated();
      clock = new TestClock();
      here = await startInstance(database, { clock });
      accounts = here.app.get(AccountService);
    });

    afterEach(async () => {
      await here?.close();
      await database?.drop();
    });

    const login = async (subject = 'alice'): Promise<Required<LoginResult>> =>
      (await here.sessions.login(() => ({ subject }))) as Required<LoginResult>;
    const refresh = (token: string): Promise<string> => codeOf(here.sessions.refresh(token));
    const restart = async (): Promise<void> => {
      await here.close();
      here = await startInstance(database, { clock });
      accounts = here.app.get(AccountService);
    };

    it('RV-04: an account that is locked for 2 s has its tokens refused during and after the lock, and logins during it', async () => {
      const old = await login();
      await accounts.lock('alice', 2);
      expect(await here.judge(old.accessToken)).toBe('account_locked');
      expect(await refresh(old.refreshToken)).toBe('account_locked');
      expect(await codeOf(login())).toBe('account_locked');
      expect(await codeOf(login('bob'))).toBe('good');
      await restart();
      clock.advance(2_000);
      expect(await here.judge(old.accessToken)).toBe('account_locked');
      expect(await refresh(old.refreshToken)).toBe('session_ended');
      const fresh = await login();
      expect(await here.judge(fresh.accessToken)).toBe('active');
      expect(await refresh(fresh.refreshToken)).toBe('good');
    });

    it('tokens stay revoked after their account is unlocked or enabled again', async () => {
      const old = await login();
      await accounts.lock('alice', '1h');
      await accounts.unlock('alice');
      await accounts.disable('alice');
      expect(await codeOf(login())).toBe('account_disabled');
      expect(await refresh(old.refreshToken)).toBe('account_disabled');
      await restart();
      await accounts.enable('alice');
      expect(await here.judge(old.accessToken)).toMatch(/account_|session_ended/);
      expect(await refresh(old.refreshToken)).toBe('session_ended');
      expect(await here.judge((await login()).accessToken)).toBe('active');
    });

    it('an account that is removed and created again does not accept old tokens, and no row identifies the old one', async () => {
      const old = await here.sessions.login(() => ({ subject: 'alice' }), {
        device: 'Alice’s phone',
        ip: '192.0.2.77',
        userAgent: 'Browser/1.0',
      });
      const [shown] = await here.sessions.list('alice');
      expect(shown).toMatchObject({ device: 'Alice’s phone', ip: '192.0.2.0' });
      await accounts.remove('alice');
      const dump: unknown[] = [];
      for (const table of ['auth_session', 'auth_refresh', 'auth_subject', 'auth_event']) {
        dump.push(await here.dataSource.query(`SELECT * FROM ${table}`));
      }
      expect(JSON.stringify(dump)).not.toMatch(/alice|telephone|192\.0|Browser/i);
      await restart();
      expect(await here.judge(old?.accessToken ?? '')).toBe('session_ended');
      expect(await refresh(old?.refreshToken ?? '')).toBe('refresh_token_invalid');
      expect(await here.judge((await login()).accessToken)).toBe('active');
    });

    it('RV-05: a changed password ends the other sessions, or all of them if none is named', async () => {
      const [kept, other] = [await login(), await login()];
      await accounts.passwordChanged('alice', { keepSession: kept.sessionId });
      expect(await here.judge(kept.accessToken)).toBe('active');
      expect(await here.judge(other.accessToken)).toBe('session_ended');
      expect(await refresh(other.refreshToken)).toBe('session_ended');
      const next = await here.sessions.refresh(kept.refreshToken);
      expect(await here.sessions.list('alice')).toHaveLength(1);
      await accounts.passwordChanged('alice');
      expect(await here.judge(next.accessToken)).toBe('session_ended');
      expect(await refresh(next.refreshToken ?? '')).toBe('session_ended');
    });

    it('in the caller’s transaction the password change and the revocation are one', async () => {
      const old = await login();
      await here.dataSource
        .transaction(async (manager) => {
          await accounts.passwordChanged('alice', { manager });
          throw new RangeError('rolled back');
        })
        .catch((error: unknown) => expect(error).toBeInstanceOf(RangeError));
      expect(await refresh(old.refreshToken)).toBe('good');
      await here.dataSource.transaction((manager) =>
        accounts.passwordChanged('alice', { manager }),
      );
      expect(await refresh(old.refreshToken)).toBe('session_ended');
      expect(await here.judge((await login()).accessToken)).toBe('active');
    });

    it('an account logs itself out everywhere and locks itself after its phone was stolen', async () => {
      const old = await login();
      await here.logout.logoutAll('alice', { lockFor: '10m' });
      expect(await here.judge(old.accessToken)).toBe('session_ended');
      expect(await codeOf(login())).toBe('account_locked');
      clock.advance(600_000);
      expect(await codeOf(login())).toBe('good');
    });

    it('revokeEveryone ends the refresh tokens of all users', async () => {
      const [alice, bob] = [await login('alice'), await login('bob')];
      await here.logout.revokeEveryone();
      for (const { refreshToken } of [alice, bob]) {
        expect(await refresh(refreshToken)).toBe('session_ended');
      }
      expect(await refresh((await login()).refreshToken)).toBe('good');
      expect(await here.sessions.list('bob')).toEqual([]);
    });

    it('an account keeps the newest sessions up to its limit', async () => {
      await here.close();
      here = await startInstance(database, { clock, options: { maxSessions: { tv: 1, '*': 2 } } });
      const as = async (client: string): Promise<LoginResult | null> => {
        clock.advance(1);
        return here.sessions.login(() => ({ subject: 'alice' }), { client });
      };
      const tv = await as('tv');
      const web = await as('web');
      const nextTv = await as('tv');
      expect(await refresh(tv?.refreshToken ?? '')).toBe('session_ended');
      expect(await refresh(web?.refreshToken ?? '')).toBe('good');
      await as('web');
      await as('phone');
      const left = await here.sessions.list('alice');
      expect(left.map(({ client }) => client)).toEqual(['phone', 'web', 'tv']);
      expect(left.map(({ id }) => id)).toContain(nextTv?.sessionId);
    });

    it('RT-10: a login ends the session that the same browser held before', async () => {
      const before = await login();
      const after = await here.sessions.login(() => ({ subject: 'alice' }), {
        replaces: before.sessionId,
      });
      expect(await here.judge(before.accessToken)).toBe('session_ended');
      expect(after?.sessionId).not.toBe(before.sessionId);
      expect(await here.sessions.list('alice')).toHaveLength(1);
    });

    it('revokeKey first reports what it affects, and ends sessions only if asked to', async () => {
      const old = await login();
      const kid = JSON.parse(
        Buffer.from(old.accessToken.split('.')[0] ?? '', 'base64url').toString(),
      ) as { kid: string };
      expect(await here.logout.revokeKey(kid.kid, { dryRun: true })).toEqual({
        kid: kid.kid,
        sessions: 1,
      });
      expect(await here.judge(old.accessToken)).toBe('active');
      await here.logout.revokeKey(kid.kid, { sessions: true });
      expect(await here.judge(old.accessToken)).toBe('key_revoked');
      expect(await here.sessions.list('alice')).toEqual([]);
    });
  });
});
