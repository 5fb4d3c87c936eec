import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import {
  type AccountChangeOptions,
  AccountService,
  type AuthEvent,
  AuthEvents,
  type AuthSettings,
  type LoginResult,
} from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, postgres, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { clockOf } from '../../support/controlled-instance.js';
import { StorageFailure } from '../../support/internals.js';
import { claimsIn } from '../../support/log-tables.js';
import { codeOf, login } from '../../support/session-acts.js';

const HOUR = 3_600_000;

/** What a review of this issue broke, each as it was broken. */
describe('findings of the review of sessions', () => {
  describeOn(databaseKinds, 'stay fixed', (kind) => {
    let sharedDatabase: TestDatabase;
    let shared: Instance;
    let database: TestDatabase;
    let clock: TestClock;
    let here: Instance;
    /** An account that no other test has. */
    let alice: string;

    beforeAll(async () => {
      sharedDatabase = await kind.migrated();
      shared = await startInstance(sharedDatabase, { clock: new TestClock() });
    });

    beforeEach(() => {
      [database, here, clock] = [sharedDatabase, shared, clockOf(shared)];
      alice = randomUUID();
    });

    /** An instance for this test alone, on its own database. */
    const startApart = async (options: Partial<AuthSettings> = {}): Promise<void> => {
      database = await kind.migrated();
      clock = new TestClock();
      here = await startInstance(database, { clock, options });
    };

    afterEach(async () => {
      if (here !== shared) await here.close();
      if (database !== sharedDatabase) await database.drop();
    });

    afterAll(async () => {
      await shared?.close();
      await sharedDatabase?.drop();
    });

    it('revokeEveryone is kept for as long as a session can last', async () => {
      await startApart();
      const { refreshToken } = await login(here, alice);
      await here.logout.revokeEveryone();
      clock.advance(26 * HOUR);
      await here.purge.purge();
      await here.close();
      here = await startInstance(database, { clock });
      expect(await codeOf(here.sessions.refresh(refreshToken))).toBe('session_ended');
    });

    it('a revoked key that two issuers share ends the sessions of one only, and the call returns', async () => {
      await startApart();
      const other = await startInstance(database, {
        clock,
        options: { issuer: 'https://other.test', maxSessions: false },
      });
      const theirs: LoginResult[] = [];
      for (let i = 0; i < 501; i++) theirs.push(await login(other, 'bob'));
      const own = await login(here, alice);
      const { kid } = JSON.parse(
        Buffer.from(own.accessToken.split('.')[0] ?? '', 'base64url').toString(),
      ) as { kid: string };
      expect(await here.logout.revokeKey(kid, { dryRun: true })).toEqual({ kid, sessions: 1 });
      await here.logout.revokeKey(kid, { sessions: true });
      expect(await here.sessions.list(alice)).toEqual([]);
      expect(await other.sessions.list('bob', { limit: 1_000 })).toHaveLength(501);
      await other.close();
    });

    it('a login whose position is older than an hour is refused', async () => {
      const since = await here.sessions.position();
      clock.advance(HOUR + 1);
      const late = here.sessions.login({ subject: alice }, { since });
      expect(await codeOf(late)).toBe('storage_unavailable');
    });

    it('a shorter lock does not shorten a longer one, and one in the past is refused', async () => {
      const accounts = here.app.get(AccountService);
      await accounts.lock(alice, '24h');
      await here.logout.logoutAll(alice, { lockFor: 60 });
      clock.advance(61_000);
      expect(await codeOf(login(here, alice))).toBe('account_locked');
      const past = accounts.lock(alice, new Date(clock.database() - 1));
      expect(await codeOf(past)).toBe('invalid_request');
    });

    it('an endless lock is refused, and the account stays active', async () => {
      const accounts = here.app.get(AccountService);
      for (const until of [Number.MAX_SAFE_INTEGER, '367d', new Date(8.64e15)] as const) {
        expect(await codeOf(accounts.lock(alice, until))).toBe('invalid_request');
      }
      const forEver = here.logout.logoutAll(alice, { lockFor: Number.MAX_SAFE_INTEGER });
      expect(await codeOf(forEver)).toBe('invalid_request');
      expect(await codeOf(login(here, alice))).toBe('good');
    });

    it('a lock or disable in the caller’s transaction is refused, because it might be rolled back', async () => {
      const accounts = here.app.get(AccountService);
      await here.dataSource.transaction(async (manager) => {
        const options: AccountChangeOptions = { manager };
        await expect(accounts.disable(alice, options)).rejects.toThrow('cannot be locked');
        await expect(accounts.lock(alice, 60, options)).rejects.toThrow('cannot be locked');
      });
      expect(await codeOf(login(here, alice))).toBe('good');
    });

    it('every refused refresh of a known session is reported', async () => {
      const told: AuthEvent[] = [];
      const { refreshToken, accessToken } = await login(here, alice);
      await here.logout.logout(accessToken);
      here.app.get(AuthEvents).subscribe((event) => told.push(event));
      expect(await codeOf(here.sessions.refresh(refreshToken))).toBe('session_ended');
      expect(told).toMatchObject([{ type: 'refresh_refused', reason: 'session_ended' }]);
    });

    it('a login that is refused from the start evicts no session, and leaves nothing behind', async () => {
      await startApart({ maxSessions: 1 });
      const since = await here.sessions.position();
      await here.app.get(AccountService).passwordChanged(alice);
      const living = await login(here, alice);
      const dead = await here.sessions.login(
        { subject: alice },
        { since, device: 'old', replaces: living.sessionId },
      );
      expect(await here.judge(dead.accessToken)).toBe('session_ended');
      expect(await here.judge(living.accessToken)).toBe('active');
      const [shown, ...rest] = await here.sessions.list(alice);
      expect(shown?.id).toBe(living.sessionId);
      expect(rest).toEqual([]);
      const rows = (await here.dataSource.query('SELECT device FROM auth_session')) as object[];
      expect(rows).toHaveLength(1);
    });

    it('no access token outlives its session', async () => {
      await startApart({ sessionTtl: 3_600 });
      const first = await login(here, alice);
      clock.advance(HOUR - 10_000);
      const last = await here.sessions.refresh(first.refreshToken);
      const { iat, exp } = claimsIn(last.accessToken) as { iat: number; exp: number };
      expect(exp - iat).toBeLessThanOrEqual(11);
    });

    it('a session that a committed transaction ended is in no list', async () => {
      const { accessToken } = await login(here, alice);
      const { refreshToken } = await login(here, alice);
      await here.dataSource.transaction((manager) => here.logout.logout(accessToken, { manager }));
      expect(await here.sessions.list(alice)).toHaveLength(1);
      await here.dataSource.transaction((manager) => here.logout.logoutAll(alice, { manager }));
      expect(await here.sessions.list(alice)).toEqual([]);
      expect(await codeOf(here.sessions.refresh(refreshToken))).toBe('session_ended');
    });

    it('remove erases earlier sessions, and not those of the next account with the name', async () => {
      await startApart();
      for (let i = 0; i < 3; i++) await login(here, alice);
      const removing = here.app.get(AccountService).remove(alice);
      await removing;
      const next = await login(here, alice);
      await here.app.get(AccountService).passwordChanged(alice, { keepSession: next.sessionId });
      expect(await codeOf(here.sessions.refresh(next.refreshToken))).toBe('good');
      const rows = (await here.dataSource.query('SELECT sid FROM auth_session')) as object[];
      expect(rows).toHaveLength(1);
    });

    it('a client name that is cut is compared as it was stored', async () => {
      const client = 'x'.repeat(300);
      const first = await here.sessions.login(() => ({ subject: alice }), { client });
      const refresh = here.sessions.refresh(first?.refreshToken ?? '', { client });
      expect(await codeOf(refresh)).toBe('good');
    });

    it('a cookie is not set back by a tab that is a step behind', async () => {
      const delivery = 'cookie' as const;
      const first = await here.sessions.login(() => ({ subject: alice }), { delivery });
      const second = await here.sessions.refresh(first?.refreshToken ?? '', { delivery });
      await here.sessions.refresh(second.refreshToken ?? '', { delivery });
      const behind = await here.sessions.refresh(first?.refreshToken ?? '', { delivery });
      expect(behind.refreshToken).toBeUndefined();
      expect(await here.judge(behind.accessToken)).toBe('active');
    });

    it('a token that fits no cookie consumes no refresh token', async () => {
      await startApart();
      const delivery = 'cookie' as const;
      const first = await here.sessions.login(() => ({ subject: alice }), { delivery });
      await here.close();
      const claims = (): object => ({ text: 'x'.repeat(4_000) });
      here = await startInstance(database, { clock, options: { claims: claims as never } });
      const token = first?.refreshToken ?? '';
      await expect(here.sessions.refresh(token, { delivery })).rejects.toThrow('does not fit');
      await here.close();
      here = await startInstance(database, { clock });
      clock.advance(11_000);
      expect(await codeOf(here.sessions.refresh(token, { delivery }))).toBe('good');
    });
  });

  describeOn([postgres], 'at the last moment', (kind) => {
    let database: TestDatabase;
    let clock: TestClock;
    let here: Instance;

    afterEach(async () => {
      await here?.close();
      await database?.drop();
    });

    beforeEach(async () => {
      database = await kind.migrated();
      clock = new TestClock();
      here = await startInstance(database, { clock });
    });

    it('an account whose old row is being purged is still disabled', async () => {
      const accounts = here.app.get(AccountService);
      const subject = randomUUID();
      await here.logout.logoutAll(subject);
      clock.advance(48 * HOUR);
      for (let i = 0; i < 20; i++) {
        await Promise.all([accounts.disable(subject), here.purge.purge()]);
        expect(await codeOf(login(here, subject))).toBe('account_disabled');
        await accounts.enable(subject);
        clock.advance(48 * HOUR);
      }
    });

    it('a lock whose COMMIT was not answered does not return after unlock', async () => {
      const accounts = here.app.get(AccountService);
      const log = await here.open();
      const transaction = log.database.transaction.bind(log.database);
      let isLost = true;
      log.database.transaction = async (body) => {
        if (!isLost) return transaction(body);
        throw new StorageFailure('unknown', 'COMMIT was not answered well.', false);
      };
      expect(await codeOf(accounts.lock('alice', '1h'))).toBe('storage_unavailable');
      isLost = false;
      await accounts.unlock('alice');
      await here.feed.strictProof();
      await here.log.drain();
      expect(await codeOf(login(here, 'alice'))).toBe('good');
    });
  });
});
