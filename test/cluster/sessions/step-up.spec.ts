import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import {
  AccountService,
  type AuthEvent,
  AuthEvents,
  type LoginContext,
  type LoginResult,
} from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { claimsIn } from '../../support/log-tables.js';
import { rounds } from '../../support/rounds.js';
import { codeOf } from '../../support/session-acts.js';

const MINUTE = 60;

describeOn(databaseKinds, 'docs/step-up.md', (kind) => {
  const clock = new TestClock();
  let database: TestDatabase;
  let here: Instance;
  let subject: string;
  let login: LoginResult;
  /** What happens while the application is asked for claims. */
  let meanwhile: () => Promise<unknown>;

  beforeAll(async () => {
    database = await kind.migrated();
    const claims = async (): Promise<object> => {
      await meanwhile();
      return {};
    };
    here = await startInstance(database, {
      clock,
      options: {
        accessTokenTtl: '1h',
        maxStaleness: '1h',
        claims: claims as never,
        sessionIdleTtl: '2h',
      },
    });
  });

  afterAll(async () => {
    await here?.close();
    await database?.drop();
  });

  beforeEach(async () => {
    meanwhile = () => Promise.resolve();
    subject = randomUUID();
    login = await start();
  });

  async function start(context: LoginContext = {}): Promise<LoginResult> {
    const result = await here.sessions.login(() => ({ subject }), context);
    if (result === null) throw new Error('The login was refused.');
    return result;
  }

  const confirm = (of = login): Promise<LoginResult | null> =>
    here.sessions.confirm(of.accessToken, () => ({ subject }));

  const authTime = (of: LoginResult | null): number =>
    claimsIn(of?.accessToken ?? '')['auth_time'] as number;

  /** What the row says, in seconds. */
  async function stored(sid = login.sessionId): Promise<number> {
    const { sql, values } = rowOf(sid);
    const [row] = (await here.dataSource.query(sql, values)) as { auth_time: string | null }[];
    return Math.floor(Number(row?.auth_time) / 1000);
  }

  function rowOf(sid: string): { sql: string; values: string[] } {
    const isPostgres = here.dataSource.options.type === 'postgres';
    return {
      sql: `SELECT auth_time FROM auth_session WHERE sid = ${isPostgres ? '$1' : '?'}`,
      values: [sid],
    };
  }

  const later = (seconds: number): void => clock.advance(seconds * 1_000);

  it('the auth_time of a token says when its user logged in, and a refresh keeps it', async () => {
    const first = authTime(login);
    expect(first).toBe(claimsIn(login.accessToken)['iat']);
    later(10 * MINUTE);
    const next = await here.sessions.refresh(login.refreshToken ?? '');
    expect(authTime(next)).toBe(first);
    expect(claimsIn(next.accessToken)['iat']).toBe(first + 10 * MINUTE);
  });

  it('a confirmed login has a new auth_time, which later refreshes keep', async () => {
    later(10 * MINUTE);
    const confirmed = await confirm();
    expect(authTime(confirmed)).toBe(authTime(login) + 10 * MINUTE);
    expect(confirmed).toMatchObject({ sessionId: login.sessionId });
    expect(confirmed).not.toHaveProperty('refreshToken');
    later(10 * MINUTE);
    const next = await here.sessions.refresh(login.refreshToken ?? '');
    expect(authTime(next)).toBe(authTime(confirmed));
    // The old token is as valid as before.
    expect(await here.judge(login.accessToken)).toBe('active');
  });

  it('the later of two confirmations counts, whichever is stored first', async () => {
    later(MINUTE);
    const slow = here.sessions.confirm(login.accessToken, async () => {
      later(MINUTE);
      await confirm();
      return { subject };
    });
    expect(authTime(await slow)).toBe(authTime(login) + MINUTE);
    expect(await stored()).toBe(authTime(login) + 2 * MINUTE);
  });

  it('an auth_time from a database clock that was ahead is replaced', async () => {
    const ahead = (claimsIn(login.accessToken)['iat'] as number) + 3_600;
    await here.dataSource.query(`UPDATE auth_session SET auth_time = ${ahead * 1_000}`);
    const confirmed = await confirm();
    expect(await stored()).toBe(authTime(confirmed));
  });

  it('a confirmation says how long the session lasts', async () => {
    meanwhile = () => Promise.resolve(later(10));
    const [next, confirmed] = [
      await here.sessions.refresh(login.refreshToken ?? ''),
      await confirm(),
    ];
    const [idle, most] = [7_200, login.sessionExpiresIn];
    expect(next).toMatchObject({ idleExpiresIn: idle, sessionExpiresIn: most - 10 });
    expect(confirmed).toMatchObject({ idleExpiresIn: idle - 10, sessionExpiresIn: most - 20 });
    const slow = await here.sessions.login(() => ({ subject }));
    expect(slow).toMatchObject({ idleExpiresIn: idle - 10, sessionExpiresIn: most - 10 });
  });

  it('a session of an older release counts from its start', async () => {
    await here.dataSource.query('UPDATE auth_session SET auth_time = NULL');
    later(10 * MINUTE);
    const next = await here.sessions.refresh(login.refreshToken ?? '');
    expect(authTime(next)).toBe(authTime(login));
  });

  it('a wrong password or another account confirms nothing', async () => {
    const told: AuthEvent[] = [];
    const listening = here.app.get(AuthEvents).subscribe((event) => told.push(event));
    later(MINUTE);
    const { confirm: ask } = here.sessions;
    const { accessToken } = login;
    expect(await ask.call(here.sessions, accessToken, () => null)).toBeNull();
    const other = (): { subject: string } => ({ subject: randomUUID() });
    expect(await ask.call(here.sessions, accessToken, other)).toBeNull();
    expect(await stored()).toBe(authTime(login));
    expect(told).toMatchObject([
      { type: 'login_refused', reason: 'credentials_invalid' },
      { type: 'login_refused', reason: 'credentials_invalid' },
    ]);
    told.splice(0);
    await here.sessions.confirm(accessToken, () => ({ subject }), { requestId: 'r-1' });
    expect(told).toMatchObject([{ type: 'login_confirmed', requestId: 'r-1' }]);
    listening.unsubscribe();
  });

  it('a session that ends meanwhile is not confirmed', async () => {
    const ends: readonly [string, string, () => Promise<unknown>][] = [
      ['logout', 'session_ended', () => here.logout.logout(login.accessToken)],
      ['logoutAll', 'session_ended', () => here.logout.logoutAll(subject)],
      ['client', 'session_ended', () => here.logout.logoutAll(subject, { client: 'tv' })],
      ['grant', 'session_ended', () => here.logout.logoutGrant(subject)],
      ['lock', 'account_locked', () => here.app.get(AccountService).lock(subject, '1h')],
      ['disable', 'account_disabled', () => here.app.get(AccountService).disable(subject)],
    ];
    for (const [name, code, end] of ends) {
      // While the password is compared, and after the session was looked up.
      for (const moment of ['password', 'claims'] as const) {
        subject = randomUUID();
        login = await start({ client: 'tv', grant: subject });
        later(MINUTE);
        const authenticate = async (): Promise<{ subject: string }> => {
          if (moment === 'password') await end();
          return { subject };
        };
        if (moment === 'claims') meanwhile = end;
        const refused = await codeOf(here.sessions.confirm(login.accessToken, authenticate));
        meanwhile = () => Promise.resolve();
        expect([name, moment, refused]).toEqual([name, moment, code]);
        expect([name, moment, await stored()]).toEqual([name, moment, authTime(login)]);
      }
    }
  });

  it('a password that changes meanwhile confirms nothing, even if the session stays open', async () => {
    later(MINUTE);
    const refused = here.sessions.confirm(login.accessToken, async () => {
      const account = here.app.get(AccountService);
      await account.passwordChanged(subject, { keepSession: login.sessionId });
      return { subject };
    });
    expect(await codeOf(refused)).toBe('storage_unavailable');
    expect(await stored()).toBe(authTime(login));
    expect(await codeOf(confirm())).toBe('good');
  });

  it('a logout at the same moment wins over a confirmation: no token of the session is left', async () => {
    for (let round = 0; round < rounds(10, 100); round++) {
      subject = randomUUID();
      login = await start();
      const [confirmed] = await Promise.all([
        confirm().catch(() => null),
        here.logout.logout(login.accessToken),
      ]);
      if (confirmed === null) continue;
      expect(await here.judge(confirmed.accessToken)).toBe('session_ended');
    }
  });

  it('a session that is idle for too long is over, although its access token has not expired', async () => {
    login = await start({ sessionIdleTtl: '1m' });
    later(2 * MINUTE);
    expect(await here.judge(login.accessToken)).toBe('active');
    expect(await codeOf(confirm())).toBe('session_ended');
  });

  it('confirm() accepts verified claims, and no token of another audience or issuer', async () => {
    const claims = await here.tokens.verify(login.accessToken);
    const ask = (given: object, delivery?: 'body' | 'cookie'): Promise<string> =>
      codeOf(here.sessions.confirm(given, () => ({ subject }), { delivery }));
    expect(await ask(claims)).toBe('good');
    expect(await ask(claims, 'body')).toBe('good');
    expect(await ask(claims, 'cookie')).toBe('token_invalid');
    expect(await ask({ ...claims, iss: 'https://elsewhere.test' })).toBe('token_invalid');
    expect(await ask({ ...claims, sid: undefined })).toBe('token_invalid');
    expect(await ask({ ...claims, sid: randomUUID() })).toBe('session_ended');
    // The session of another account.
    const own = subject;
    subject = randomUUID();
    const foreign = await start();
    subject = own;
    expect(await ask({ ...claims, sid: foreign.sessionId })).toBe('session_ended');
  });
});
