import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { AccountService, AuthClock, type AuthEvent, AuthEvents } from 'nestjs-logout';
import { sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { claimsIn } from '../../support/log-tables.js';
import { login } from '../../support/session-acts.js';

describe('lifetimes, warnings and events', () => {
  let database: TestDatabase;
  let here: Instance;

  beforeEach(async () => {
    database = await sqlite.migrated();
    here = await startInstance(database, { options: { accessTokenTtl: 900 } });
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await here?.close();
    await database?.drop();
  });

  it('lifetimes are shortened by a small random amount, and never lengthened', async () => {
    const lives = new Set<number>();
    for (let i = 0; i < 40; i++) {
      const { accessToken, expiresIn, refreshAt } = await login(here, `user ${i}`);
      const { iat, exp } = claimsIn(accessToken) as { iat: number; exp: number };
      expect(exp - iat).toBe(expiresIn);
      lives.add(expiresIn);
      // A little before the expiry, with time for a second attempt.
      expect(refreshAt).toBeGreaterThan((iat + expiresIn / 2) * 1000);
      expect(refreshAt).toBeLessThan(exp * 1000);
    }
    expect(Math.max(...lives)).toBeLessThanOrEqual(900);
    expect(Math.min(...lives)).toBeGreaterThanOrEqual(882);
    expect(lives.size).toBeGreaterThan(3);
  });

  it('the lifetimes of one login may be shorter than those of others, and not longer', async () => {
    const session = async (sessionTtl: string): Promise<number> => {
      const result = await here.sessions.login(() => ({ subject: 'alice' }), { sessionTtl });
      expect(result?.refreshExpiresIn).toBeLessThanOrEqual(14 * 86_400);
      const [shown] = await here.sessions.list('alice', { limit: 1 });
      return ((shown?.expiresAt.getTime() ?? 0) - (shown?.createdAt.getTime() ?? 0)) / 1_000;
    };
    expect(await session('12h')).toBe(43_200);
    expect(await session('60d')).toBe(30 * 86_400);
    await expect(session('12')).rejects.toThrow("'12s'");
  });

  it('lifetimes are shortened by whole numbers, up to the maximum', () => {
    const clock = new AuthClock();
    const drawn = new Set(Array.from({ length: 400 }, () => clock.jitter(3.9)));
    expect([...drawn].toSorted()).toEqual([0, 1, 2, 3]);
    expect(clock.jitter(0.4)).toBe(0);
  });

  it('a lock that is shorter than the token lifetime logs a warning that says by how much', async () => {
    const warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    await here.app.get(AccountService).lock('alice', 60);
    expect(warned.mock.calls.flat().join(' ')).toContain('840 s less');
    warned.mockClear();
    await here.app.get(AccountService).lock('bob', '1h');
    expect(warned).not.toHaveBeenCalled();
  });

  it('revokeKey ends more sessions than one batch holds', async () => {
    for (let i = 0; i < 520; i++) await login(here, `user ${i}`);
    const { accessToken } = await login(here, 'last');
    const header = JSON.parse(
      Buffer.from(accessToken.split('.')[0] ?? '', 'base64url').toString(),
    ) as { kid: string };
    await here.logout.revokeKey(header.kid, { sessions: true });
    expect(await here.logout.revokeKey(header.kid, { dryRun: true })).toMatchObject({
      sessions: 0,
    });
  });

  it('AuthEvents report who ended which session, why, and in which request', async () => {
    const told: AuthEvent[] = [];
    const events = here.app.get(AuthEvents);
    events.subscribe((event) => told.push(event));
    const { sessionId } = await login(here, 'alice');
    const next = await here.sessions.login(() => ({ subject: 'alice' }), { replaces: sessionId });
    await here.logout.logout(next?.accessToken ?? '', { actor: 'support', requestId: 'r-1' });
    await here.app.get(AccountService).disable('alice', { actor: 'root', requestId: 'r-2' });
    await here.sessions.login(() => null);
    const subject = events.subjectHash('alice');
    expect(told).toMatchObject([
      { type: 'login', subject },
      { type: 'logout', scope: 'session', reason: 'newer_login' },
      { type: 'login', subject },
      { type: 'logout', scope: 'session', reason: 'logout', actor: 'support', requestId: 'r-1' },
      { type: 'account_disabled', subject, scope: 'subject', actor: 'root', requestId: 'r-2' },
      { type: 'login_refused', reason: 'credentials_invalid' },
    ]);
    expect(JSON.stringify(told)).not.toContain('alice');
    expect(JSON.stringify(told)).not.toContain(sessionId);
  });

  it('AuthEvents report a refusal because freshness cannot be proven', async () => {
    const told: AuthEvent[] = [];
    here.app.get(AuthEvents).subscribe((event) => told.push(event));
    const { accessToken } = await login(here, 'alice');
    await here.dataSource.query('ALTER TABLE auth_event RENAME TO away');
    const strict = here.tokens.verify(accessToken, { freshness: 'strict' });
    await expect(strict).rejects.toThrow('The server cannot check');
    expect(told.map(({ type }) => type)).toEqual(['login', 'revocation_state_unknown']);
    await here.dataSource.query('ALTER TABLE away RENAME TO auth_event');
  });
});
