import { afterEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { AuthSettings, LoginContext, LoginResult } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, sqlite, type TestDatabase } from '../../support/databases.js';
import { startHttp } from '../../support/http-app.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { codeOf } from '../../support/session-acts.js';

const DAY = 86_400;
const LIFETIMES: AuthSettings['lifetimes'] = {
  tv: { sessionTtl: '365d', sessionIdleTtl: '90d' },
  web: { sessionIdleTtl: '30m', accessTokenTtl: '1m' },
  kiosk: { refreshTokenTtl: 0, accessTokenTtl: '5m' },
};

let database: TestDatabase | undefined;
let instances: Instance[] = [];

afterEach(async () => {
  for (const each of instances) await each.close();
  instances = [];
  await database?.drop();
  database = undefined;
});

async function start(options: Partial<AuthSettings>, clock = new TestClock()): Promise<Instance> {
  database ??= await sqlite.migrated();
  const instance = await startInstance(database, {
    clock,
    options: { maxStaleness: '1h', ...options },
  });
  instances.push(instance);
  return instance;
}

async function logIn(on: Instance, context: LoginContext = {}): Promise<LoginResult> {
  const result = await on.sessions.login(() => ({ subject: randomUUID() }), context);
  if (result === null) throw new Error('The login was refused.');
  return result;
}

/** Seconds: of the access token by its jitter of 2 %, idle, and at most. */
function lives({ expiresIn, idleExpiresIn, sessionExpiresIn }: LoginResult): number[] {
  return [Math.round(expiresIn / 60) * 60, idleExpiresIn, sessionExpiresIn];
}

describe('lifetimes by client', () => {
  it('lifetimes apply to the client that the application names, and the shortest to all others', async () => {
    const here = await start({ lifetimes: LIFETIMES });
    const of = async (client?: string): Promise<number[]> => lives(await logIn(here, { client }));
    expect(await of('tv')).toEqual([900, 90 * DAY, 365 * DAY]);
    expect(await of('web')).toEqual([60, 1_800, 30 * DAY]);
    const kiosk = await logIn(here, { client: 'kiosk' });
    expect(kiosk.refreshToken).toBeUndefined();
    expect(kiosk.sessionExpiresIn).toBe(kiosk.expiresIn);
    // No refresh token is the shortest idle time.
    for (const other of [undefined, 'watch', '*', 'TV', 'tv ']) {
      const login = await logIn(here, { client: other });
      expect([other, login.refreshToken]).toEqual([other, undefined]);
    }
  });

  it("'*' sets the lifetimes of all other clients", async () => {
    const here = await start({ lifetimes: { ...LIFETIMES, '*': { sessionTtl: '7d' } } });
    expect(lives(await logIn(here))).toEqual([900, 7 * DAY, 7 * DAY]);
    expect(lives(await logIn(here, { client: 'tv' }))).toEqual([900, 90 * DAY, 365 * DAY]);
  });

  it('one login can shorten its lifetimes, and not lengthen them', async () => {
    const here = await start({ lifetimes: LIFETIMES });
    const shorter = {
      client: 'tv',
      sessionTtl: '10d',
      sessionIdleTtl: '2d',
      accessTokenTtl: '2m',
    };
    expect(lives(await logIn(here, shorter))).toEqual([120, 2 * DAY, 10 * DAY]);
    const longer = { client: 'web', sessionTtl: '60d', sessionIdleTtl: '1d', accessTokenTtl: '1h' };
    expect(lives(await logIn(here, longer))).toEqual([60, 1_800, 30 * DAY]);
    const none = await logIn(here, { client: 'tv', refreshTokenTtl: 0 });
    expect(none.refreshToken).toBeUndefined();
  });

  it.each([
    [{ sessionTtl: '12' }, "'12s'"],
    [{ sessionIdleTtl: 0 }, 'at least 1'],
    [{ accessTokenTtl: 0.5 }, 'whole seconds'],
    [{ refreshTokenTtl: -1 }, 'finite number'],
  ])('invalid lifetimes of one login are refused: %p', async (context, message) => {
    const here = await start({});
    await expect(logIn(here, context)).rejects.toThrow(message);
  });

  it('lifetimes are shortened to those of all others if a request names the client', async () => {
    const app = await startHttp('express', {
      options: { lifetimes: { tv: { sessionTtl: '365d' }, web: { sessionIdleTtl: '30m' } } },
    });
    const of = async (client?: string): Promise<object> => {
      const { body } = await app.client.send('POST /auth/login', {
        json: { username: 'alice', password: 'open sesame', client },
      });
      const { idle_expires_in, session_expires_in } = body as Record<string, number>;
      return { idle_expires_in, session_expires_in };
    };
    const shortest = { idle_expires_in: 1_800, session_expires_in: 30 * DAY };
    for (const client of ['tv', 'web', 'watch', undefined]) {
      expect([client, await of(client)]).toEqual([client, shortest]);
    }
    await app.close();
  });
});

describeOn(databaseKinds, 'lifetimes of a session', (kind) => {
  it('the lifetimes of a session survive a refresh on an instance with other options', async () => {
    database = await kind.migrated();
    const clock = new TestClock();
    const here = await start({ lifetimes: LIFETIMES }, clock);
    const there = await start({ sessionIdleTtl: '1d', accessTokenTtl: '10m' }, clock);
    const tv = await logIn(here, { client: 'tv' });
    const web = await logIn(here, { client: 'web' });
    const plain = await logIn(here, { client: 'web', sessionIdleTtl: '20m' });
    clock.advance(60_000);
    const refresh = (of: LoginResult): Promise<LoginResult> =>
      there.sessions.refresh(of.refreshToken ?? '');
    expect(lives(await refresh(tv))).toEqual([600, 90 * DAY, 365 * DAY - 60]);
    expect(lives(await refresh(web))).toEqual([60, 1_800, 30 * DAY - 60]);
    expect(lives(await refresh(plain))).toEqual([60, 1_200, 30 * DAY - 60]);
  });

  it('access-token lifetimes are never longer than the signing instance accepts', async () => {
    database = await kind.migrated();
    const clock = new TestClock();
    const here = await start({ accessTokenTtl: '1h' }, clock);
    const there = await start({ accessTokenTtl: '5m' }, clock);
    const login = await logIn(here, { accessTokenTtl: '30m' });
    expect(Math.round(login.expiresIn / 60)).toBe(30);
    const next = await there.sessions.refresh(login.refreshToken ?? '');
    expect(next.expiresIn).toBeLessThanOrEqual(300);
    expect(await there.judge(next.accessToken)).toBe('active');
  });

  it('lifetimes follow the options if neither client nor login sets others', async () => {
    database = await kind.migrated();
    const clock = new TestClock();
    const here = await start({}, clock);
    const there = await start({ sessionIdleTtl: '1d', accessTokenTtl: '10m' }, clock);
    const login = await logIn(here);
    expect(lives(login)).toEqual([900, 14 * DAY, 30 * DAY]);
    const next = await there.sessions.refresh(login.refreshToken ?? '');
    expect(lives(next)).toEqual([600, DAY, 30 * DAY]);
  });

  it('a session without a refresh for its idle time is over', async () => {
    database = await kind.migrated();
    const clock = new TestClock();
    const here = await start({ lifetimes: LIFETIMES }, clock);
    const [web, tv] = [await logIn(here, { client: 'web' }), await logIn(here, { client: 'tv' })];
    clock.advance(1_800_000);
    const refused = await codeOf(here.sessions.refresh(web.refreshToken ?? ''));
    expect(refused).toBe('refresh_token_expired');
    expect(await codeOf(here.sessions.refresh(tv.refreshToken ?? ''))).toBe('good');
  });

  it('a session with short access tokens may be refreshed as often as it has to be', async () => {
    database = await kind.migrated();
    const clock = new TestClock();
    const here = await start({ lifetimes: { web: { accessTokenTtl: 10 } } }, clock);
    let login = await logIn(here, { client: 'web' });
    for (let round = 0; round < 25; round++) {
      clock.advance(9_000);
      login = await here.sessions.refresh(login.refreshToken ?? '');
    }
    expect(login.expiresIn).toBeLessThanOrEqual(10);
  });
});
