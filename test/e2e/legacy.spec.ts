import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Body, Controller, Get, HttpCode, Logger, Post, UseGuards } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { type DataSource, EntitySchema } from 'typeorm';
import {
  AccountService,
  AllowExpired,
  type AuthSettings,
  CurrentToken,
  CurrentUser,
  JwtAuthGuard,
  type LegacyOptions,
  LogoutService,
  secretKid,
  SessionService,
  type TokenClaims,
} from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { sqlite, type TestDatabase } from '../support/databases.js';
import { type Instance, startInstance } from '../support/instance.js';
import { loginAt, profileAt, type RecipeApp, startRecipe } from '../support/recipe-app.js';
import { codeOf } from '../support/session-acts.js';
import { fetchOnce } from '../support/fetch-once.js';

const SHORT = 'secretKey';
const LONG = 'the secret of the recipe, which is long enough for HS256';
const DAY = 86_400_000;

/** The recipe's controller after it has moved in. */
@Controller()
class MovedController {
  constructor(
    private readonly sessions: SessionService,
    private readonly logoutService: LogoutService,
  ) {}

  @Post('auth/login')
  async login(@Body() { username }: { username: string }): Promise<object> {
    const subject = username === 'john' ? 1 : 2;
    const login = await this.sessions.login(() => ({ subject, claims: { username } }));
    return { access_token: login?.accessToken, refresh_token: login?.refreshToken };
  }

  @Post('auth/logout')
  @HttpCode(204)
  @AllowExpired()
  @UseGuards(JwtAuthGuard)
  async logout(@CurrentToken() token: TokenClaims): Promise<void> {
    await this.logoutService.logout(token);
  }

  @UseGuards(JwtAuthGuard)
  @Get('profile')
  profile(@CurrentUser() user: unknown): unknown {
    return user;
  }
}

describe('migrating from the recipe', () => {
  let database: TestDatabase;
  let old: RecipeApp;
  let clock: TestClock;
  const running: Instance[] = [];

  const start = async (
    legacy: Partial<LegacyOptions> = {},
    options: Partial<AuthSettings> = {},
    secret?: string,
  ): Promise<Instance & { url: string }> => {
    const instance = await startInstance(database, {
      clock,
      controllers: [MovedController],
      ...(secret === undefined ? {} : { secret }),
      options: {
        legacy: { secret: SHORT, until: new Date(clock.wall() + 60 * DAY), ...legacy },
        validate: ({ sub, username }) => ({ userId: sub, username }),
        claims: (subject) => ({ username: subject === '1' ? 'john' : 'maria' }),
        ...options,
      },
    });
    running.push(instance);
    await instance.app.listen(0, '127.0.0.1');
    return { ...instance, url: await instance.app.getUrl() };
  };
  /** Another token of the recipe: its own login returns the same one twice in a second. */
  const another = (more: object = {}): string =>
    old.jwt.sign({ username: 'john', sub: 1, device: Math.random(), ...more });
  const logoutAt = async (url: string, token: string): Promise<number> =>
    (
      await fetchOnce(`${url}/auth/logout`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
      })
    ).status;

  beforeEach(async () => {
    jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    database = await sqlite.migrated();
    clock = new TestClock();
    old = await startRecipe(SHORT);
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((instance) => instance.close()));
    await old.close();
    await database.drop();
    jest.restoreAllMocks();
  });

  it('no user is logged out: forward, side by side, back, and forward again', async () => {
    const before = await old.login('john');
    const first = await start({ sign: true });
    const during = [await old.login('maria'), await loginAt(first.url, 'john')];
    for (const token of [before, ...during]) {
      expect(await old.profile(token)).toMatchObject({ status: 200 });
      expect(await profileAt(first.url, token)).toMatchObject({ status: 200 });
    }
    expect((await profileAt(first.url, before)).body).toEqual({ userId: '1', username: 'john' });
    const pair = await first.sessions.login(() => ({ subject: 2 }));
    await first.close();
    for (const token of [before, ...during]) {
      expect(await old.profile(token)).toMatchObject({ status: 200 });
    }
    const again = await start({ sign: true });
    for (const token of [before, ...during, pair?.accessToken ?? '']) {
      expect(await profileAt(again.url, token)).toMatchObject({ status: 200 });
    }
    const next = await again.sessions.refresh(pair?.refreshToken ?? '');
    expect(await old.profile(next.accessToken)).toMatchObject({
      status: 200,
      body: { username: 'maria' },
    });
  });

  it('with one long secret for both, the recipe accepts our tokens without further options', async () => {
    await old.close();
    old = await startRecipe(LONG);
    const instance = await start({ secret: LONG }, {}, LONG);
    const ours = await loginAt(instance.url, 'john');
    const theirs = await old.login('john');
    for (const token of [ours, theirs]) {
      expect(await old.profile(token)).toMatchObject({ status: 200 });
      expect(await profileAt(instance.url, token)).toMatchObject({ status: 200 });
    }
    await instance.logout.revokeKey(secretKid(LONG));
    expect(await instance.judge(ours)).toBe('key_revoked');
    expect(await instance.judge(theirs)).toBe('key_revoked');
  });

  it('logout revokes one token, whatever its header, here, elsewhere and after a restart', async () => {
    const [here, there] = [await start(), await start()];
    const [token, other] = [another(), another()];
    expect(await logoutAt(here.url, token)).toBe(204);
    expect(await profileAt(here.url, token)).toMatchObject({
      status: 401,
      body: { code: 'token_revoked', reason: 'logout' },
    });
    expect(await logoutAt(here.url, token)).toBe(204);
    const { iat, exp, ...claims } = old.jwt.decode<Record<string, number>>(token);
    const respelt = old.jwt.sign(
      { ...claims, iat },
      { expiresIn: (exp ?? 0) - (iat ?? 0), header: { alg: 'HS256' } },
    );
    expect(respelt.split('.')[1]).toBe(token.split('.')[1]);
    expect(await here.judge(respelt)).toBe('token_revoked');
    expect(await codeOf(there.tokens.verify(token, { freshness: 'strict' }))).toBe('token_revoked');
    await Promise.all([here.close(), there.close()]);
    const again = await start();
    expect(await again.judge(token)).toBe('token_revoked');
    expect(await again.judge(other)).toBe('active');
  });

  it.each<[string, (on: Instance) => Promise<unknown>, string]>([
    ['logoutAll', (on) => on.logout.logoutAll(1), '2'],
    ['logoutAll of the text', (on) => on.logout.logoutAll('1'), '2'],
    ['a lock', (on) => on.app.get(AccountService).lock(1, '1h'), '2'],
    ['a disabled account', (on) => on.app.get(AccountService).disable(1), '2'],
    ['a removed account', (on) => on.app.get(AccountService).remove(1), '2'],
    ['a new password', (on) => on.app.get(AccountService).passwordChanged(1), '2'],
    ['other permissions', (on) => on.app.get(AccountService).claimsChanged(1), '2'],
    ['revokeEveryone', (on) => on.logout.revokeEveryone(), ''],
    ['revokeKey', (on) => on.logout.revokeKey(secretKid(SHORT)), ''],
  ])('%s ends every token of the account, also after a restart', async (name, act, spared) => {
    const instance = await start();
    const tokens = [another(), old.jwt.sign({ sub: '1' })];
    const foreign = await old.login('maria');
    // The recipe signs by the host's clock: on a slow machine the test's clock has fallen behind it.
    clock.advance(Math.max(0, Date.now() - clock.wall()));
    expect(await Promise.all(tokens.map(instance.judge))).toEqual(['active', 'active']);
    await act(instance);
    const code = name === 'revokeKey' ? 'key_revoked' : expect.not.stringMatching('active');
    const check = async (on: Instance): Promise<void> => {
      expect(await Promise.all(tokens.map(on.judge))).toEqual([code, code]);
      expect((await on.judge(foreign)) === 'active').toBe(spared !== '');
    };
    await check(instance);
    await instance.close();
    const again = await start();
    await check(again);
    // A week later the event is still known, and a token of then is accepted.
    const long = old.jwt.sign({ sub: 1, username: 'john' }, { expiresIn: '31d' });
    clock.advance(7 * DAY);
    await again.feed.strictProof();
    expect(await again.judge(long)).not.toBe('active');
    const iat = Math.floor(clock.wall() / 1000);
    const fresh = old.jwt.sign({ sub: 1, iat });
    expect(await again.judge(fresh)).toBe(name === 'revokeKey' ? 'key_revoked' : 'active');
  });

  it('the revocation of a token or an account is kept for as long as such a token lasts', async () => {
    const instance = await start();
    const token = old.jwt.sign({ sub: 1 }, { expiresIn: '31d' });
    const one = await instance.logout.logout(token);
    const all = await instance.logout.logoutAll(1);
    for (const { keptUntil } of [one, all]) {
      expect(keptUntil?.getTime()).toBeGreaterThan(clock.wall() + 31 * DAY);
    }
  });

  it('a token of ours in the old format is revoked by its session and by its position', async () => {
    const instance = await start({ sign: true });
    const login = async (): Promise<{ accessToken: string; refreshToken?: string }> =>
      (await instance.sessions.login(() => ({ subject: 1 }))) ?? { accessToken: '' };
    const [one, two, kept] = [await login(), await login(), await login()];
    expect(
      JSON.parse(Buffer.from(one.accessToken.split('.')[0] ?? '', 'base64url').toString()),
    ).toEqual({
      alg: 'HS256',
      typ: 'JWT',
    });
    await instance.logout.logout(one.accessToken);
    expect(await instance.judge(one.accessToken)).toBe('session_ended');
    expect(await codeOf(instance.sessions.refresh(one.refreshToken ?? ''))).toBe('session_ended');
    await instance.logout.logoutOthers(kept.accessToken);
    expect(await instance.judge(two.accessToken)).not.toBe('active');
    expect(await instance.judge(kept.accessToken)).toBe('active');
    await instance.logout.logoutAll(1);
    expect(await instance.judge(kept.accessToken)).not.toBe('active');
    // In the same second: no time is compared.
    expect(await instance.judge((await login()).accessToken)).toBe('active');
  });

  it('after the configured date old tokens are refused, and ours are not affected', async () => {
    const until = clock.wall() + DAY;
    const instance = await start({ sign: true, until: new Date(until) }, { accessTokenTtl: '1h' });
    const typeOf = (token = ''): unknown =>
      (
        JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as {
          typ: string;
        }
      ).typ;
    const token = old.jwt.sign({ sub: 1 }, { expiresIn: '2d' });
    clock.advance(DAY - 3_000_000);
    await instance.feed.strictProof();
    const last = await instance.sessions.login(() => ({ subject: 1 }));
    expect(typeOf(last?.accessToken)).toBe('at+jwt');
    expect(await instance.judge(token)).toBe('active');
    clock.advance(3_000_000);
    await instance.feed.strictProof();
    expect(await instance.judge(token)).toBe('token_invalid');
    expect(await codeOf(instance.tokens.verify(token, { allowExpired: true }))).toBe(
      'token_invalid',
    );
    expect(await instance.judge(last?.accessToken ?? '')).toBe('active');
  });

  it('each boot logs that legacy is set, and warns that the secret is short', async () => {
    const { warn, error } = Logger.prototype;
    await start({ secret: LONG });
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('(option legacy)'));
    expect(error).not.toHaveBeenCalled();
    await start();
    expect(error).toHaveBeenCalledWith(expect.stringContaining('has only 9 bytes'));
    expect(JSON.stringify(jest.mocked(error).mock.calls)).not.toContain(SHORT);
  });
});

const OLD_REFRESH_TOKEN = new EntitySchema<{ digest: string; userId: number; expiresAt: number }>({
  name: 'old_refresh_token',
  columns: {
    digest: { type: 'varchar', primary: true },
    userId: { type: 'integer' },
    expiresAt: { type: 'bigint' },
  },
});

/** As docs/migrating.md says it. */
async function move(
  { sessions, dataSource }: { sessions: SessionService; dataSource: DataSource },
  token: string,
): ReturnType<SessionService['refresh']> {
  if (!token.startsWith('old-')) return sessions.refresh(token);
  const since = await sessions.position();
  const table = dataSource.getRepository(OLD_REFRESH_TOKEN);
  const row = await table.findOneBy({ digest: createHash('sha256').update(token).digest('hex') });
  if (row === null || row.expiresAt <= Date.now()) throw new Error('invalid_grant');
  const { affected } = await table.delete({ digest: row.digest });
  if (affected !== 1) throw new Error('invalid_grant');
  try {
    return await sessions.login({ subject: row.userId }, { since });
  } catch (error) {
    await table.insert(row);
    throw error;
  }
}

describe('migrating an existing table of refresh tokens', () => {
  let database: TestDatabase;
  let instance: Instance;

  beforeEach(async () => {
    const made = await sqlite.migrated();
    const options = { ...made.options, entities: [OLD_REFRESH_TOKEN], synchronize: true };
    database = { ...made, options: options as TestDatabase['options'] };
    instance = await startInstance(database);
    for (const [name, expiresAt] of [
      ['old-1', Date.now() + DAY],
      ['old-2', Date.now() - 1],
    ] as const) {
      const digest = createHash('sha256').update(name).digest('hex');
      await instance.dataSource
        .getRepository(OLD_REFRESH_TOKEN)
        .insert({ digest, userId: 1, expiresAt });
    }
  });
  afterEach(async () => {
    await instance.close();
    await database.drop();
  });

  it('an old refresh token returns one new pair, once, and the pair is a session like any other', async () => {
    const asked = await Promise.allSettled(
      Array.from({ length: 5 }, () => move(instance, 'old-1')),
    );
    const won = asked.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    expect(won).toHaveLength(1);
    expect(await instance.judge(won[0]?.accessToken ?? '')).toBe('active');
    const next = await move(instance, won[0]?.refreshToken ?? '');
    expect(await instance.sessions.list(1)).toHaveLength(1);
    await instance.logout.logoutAll(1);
    expect(await instance.judge(next.accessToken)).not.toBe('active');
    expect(await codeOf(move(instance, next.refreshToken ?? ''))).toBe('session_ended');
    await expect(move(instance, 'old-1')).rejects.toThrow('invalid_grant');
    await expect(move(instance, 'old-2')).rejects.toThrow('invalid_grant');
  });

  it('a login that fails leaves the old refresh token as it was', async () => {
    const accounts = instance.app.get(AccountService);
    await accounts.disable(1);
    expect(await codeOf(move(instance, 'old-1'))).toBe('account_disabled');
    await accounts.enable(1);
    expect((await move(instance, 'old-1')).refreshToken).toBeDefined();
  });

  it('an account that was logged out while the table was read stays logged out', async () => {
    const since = await instance.sessions.position();
    await instance.logout.logoutAll(1);
    const { accessToken, refreshToken } = await instance.sessions.login({ subject: 1 }, { since });
    expect(await instance.judge(accessToken)).not.toBe('active');
    expect(await codeOf(instance.sessions.refresh(refreshToken ?? ''))).not.toBe('good');
  });
});
