import { IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  Controller,
  type ExecutionContext,
  ForbiddenException,
  Get,
  Injectable,
  Logger,
  Req,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import {
  AllowExpired,
  CurrentToken,
  CurrentUser,
  Freshness,
  JwtAuthGuard,
  type TokenClaims,
} from 'nestjs-logout';
import { AuthMeter } from '../../lib/events/auth-meter.service.js';
import { KeyService } from '../../lib/authentication/key-ring.js';
import { TokenVerifier } from '../../lib/authentication/token-verifier.js';
import { TAIL, VerifiedToken, VerifiedTokens } from '../../lib/authentication/verified-tokens.js';
import type { AuthKey } from '../../lib/options/auth-key.js';
import {
  answerOf,
  claimsAt,
  FakeRevocation,
  hmacKey,
  mint,
  optionsWith,
  type Platform,
  startApp,
  type TestApp,
} from '../support/authentication-parts.js';

interface User {
  name?: string;
  roles?: string[];
}

@Controller('changes')
@UseGuards(JwtAuthGuard)
class ChangesController {
  @Get()
  change(@CurrentUser() user: User, @CurrentToken() token: User): unknown {
    const found = { name: user.name ?? null, roles: [...(user.roles ?? [])] };
    user.name = 'mallory';
    user.roles?.push('admin');
    token.roles?.push('root');
    return found;
  }

  @AllowExpired()
  @Get('expired')
  expired(): unknown {
    return {};
  }

  @Freshness('strict')
  @Get('strict')
  strict(): unknown {
    return {};
  }

  @Get('passport')
  passport(@Req() request: { isAuthenticated?(): boolean; authInfo?: unknown }): unknown {
    const names: string[] = [];
    for (const name in request) names.push(name);
    return {
      isAuthenticated: request.isAuthenticated?.() ?? null,
      methods: names.filter((name) => /^(log[io]|is[AU])/i.test(name)).toSorted(),
      hasInfo: 'authInfo' in request,
    };
  }
}

const calls: string[] = [];

@Injectable()
class OwnGuard extends JwtAuthGuard {
  static refuses = false;

  override getRequest(context: ExecutionContext): ReturnType<JwtAuthGuard['getRequest']> {
    calls.push('getRequest');
    return super.getRequest(context);
  }

  override getAuthenticateOptions(): { property: string } {
    calls.push('getAuthenticateOptions');
    return { property: 'account' };
  }

  override handleRequest<TUser>(error: unknown, user: TUser): TUser {
    calls.push('handleRequest');
    if (OwnGuard.refuses || error || !user) throw error ?? new UnauthorizedException();
    return user;
  }
}

/** Its members have names that a guard of the library might use for its own. */
@Injectable()
class BusyGuard extends JwtAuthGuard {
  strategy = 'none';
  routes = ['none'];
  meter = 0;

  authenticate(): boolean {
    return true;
  }

  activate(): boolean {
    return true;
  }

  answer(): boolean {
    return true;
  }

  refuse(): boolean {
    return true;
  }

  isAnonymous(): boolean {
    return true;
  }
}

/** As many write it: AuthGuard returns a promise at each request. */
@Injectable()
class ChainingGuard extends JwtAuthGuard {
  override canActivate(context: ExecutionContext): Promise<boolean> {
    return (super.canActivate(context) as Promise<boolean>).then(
      (isAllowed) => isAllowed,
      () => {
        throw new ForbiddenException();
      },
    );
  }
}

@Controller('busy')
@UseGuards(BusyGuard)
class BusyController {
  @Get()
  busy(): unknown {
    return {};
  }
}

@Controller('chaining')
@UseGuards(ChainingGuard)
class ChainingController {
  @Get()
  chaining(): unknown {
    return {};
  }
}

@Controller('own')
@UseGuards(OwnGuard)
class OwnController {
  @Get()
  own(@Req() request: { account?: { sub?: string }; user?: unknown }): unknown {
    return { account: request.account?.sub ?? null, user: request.user ?? null };
  }
}

const opened: TestApp[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((app) => app.close()));
  jest.restoreAllMocks();
  OwnGuard.refuses = false;
  calls.length = 0;
});

const PATHS = ['/changes', '/changes/strict', '/changes/passport', '/own'];

describe.each<Platform>(['express', 'fastify'])('a remembered token, on %s', (platform) => {
  const key = hmacKey('one');
  let keys: readonly AuthKey[] = [key];
  let answer: unknown;
  let revocation: FakeRevocation;

  async function start(overrides: Parameters<typeof optionsWith>[1] = {}) {
    keys = [key];
    revocation = new FakeRevocation();
    const options = optionsWith([key], { loadKeys: () => Promise.resolve(keys), ...overrides });
    const app = await startApp(platform, options, revocation, {
      controllers: [ChangesController, OwnController, BusyController, ChainingController],
    });
    opened.push(app);
    const find = <T>(type: abstract new (...args: never[]) => T): T =>
      app.app.get(type as never, { strict: false });
    const verified = find(VerifiedTokens);
    // Without the token of the boot's self-test.
    verified.clear(verified.revision);
    Object.assign(verified, { verified: 0, found: 0 });
    return { app, find, verified };
  }

  /** An application that has seen the token on every route. */
  async function seen(overrides: Parameters<typeof optionsWith>[1] = {}, more = {}) {
    const started = await start(overrides);
    const token = mint(
      key,
      claimsAt(revocation.time, { name: 'Alice', roles: ['reader'], ...more }),
    );
    for (const path of PATHS) {
      expect((await started.app.bearer(token, path)).status).toBe(200);
    }
    expect(started.verified).toMatchObject({ verified: 1, found: PATHS.length - 1 });
    return { ...started, token };
  }

  it('a remembered token is not verified again', async () => {
    const { app, verified, token } = await seen();
    const { byTail } = verified;
    expect(byTail.size).toBe(1);
    expect((await app.bearer(token, '/changes')).status).toBe(200);
    expect(verified.verified).toBe(1);
  });

  it('a remembered token is refused at the next request once it is revoked', async () => {
    const { app, token } = await seen();
    revocation.revokedIds.add('session-1');
    for (const path of PATHS) {
      const response = await app.bearer(token, path);
      expect(response.headers.get('www-authenticate')).toContain('invalid_token');
      expect(await answerOf(Promise.resolve(response))).toEqual([401, 'session_ended']);
    }
  });

  it('a remembered token is refused at the next request once it has expired, except with @AllowExpired()', async () => {
    const { app, token } = await seen();
    revocation.time += 305_000;
    for (const path of PATHS) {
      expect(await answerOf(app.bearer(token, path))).toEqual([401, 'token_expired']);
    }
    expect((await app.bearer(token, '/changes/expired')).status).toBe(200);
  });

  it('a remembered token is refused at the next request while the clock is before its nbf', async () => {
    const { app, token } = await seen({}, { nbf: Math.floor(1_700_000_000_000 / 1000) });
    revocation.time -= 10_000;
    expect(await answerOf(app.bearer(token, '/changes'))).toEqual([401, 'token_invalid']);
  });

  it('a remembered token is refused at the next request once its key is revoked, also with @AllowExpired()', async () => {
    const { app, token } = await seen();
    revocation.revokedKeys.add('one');
    for (const path of [...PATHS, '/changes/expired']) {
      expect(await answerOf(app.bearer(token, path))).toEqual([401, 'key_revoked']);
    }
  });

  it('a remembered token is verified again after reload(), and refused if its key is gone', async () => {
    const { app, find, verified, token } = await seen();
    await find(KeyService).reload();
    expect((await app.bearer(token, '/changes')).status).toBe(200);
    expect(verified.verified).toBe(2);
    keys = [hmacKey('two')];
    await find(KeyService).reload();
    expect((await app.bearer(token, '/changes')).status).toBe(200);
    expect(verified.verified).toBe(3);
    // The key has its time until the last token has expired; this one has longer.
    const long = mint(key, claimsAt(revocation.time + 5_000));
    expect((await app.bearer(long, '/changes')).status).toBe(200);
    revocation.time += 305_000;
    expect(await answerOf(app.bearer(long, '/changes'))).toEqual([401, 'token_invalid']);
  });

  it('a remembered token is verified again after retire(), and refused once the key has expired', async () => {
    const { app, find, verified } = await seen();
    // It is valid longer than the key, by the tolerance of clocks.
    const long = mint(key, claimsAt(revocation.time + 5_000));
    expect((await app.bearer(long, '/changes')).status).toBe(200);
    await find(KeyService).retire('one');
    expect((await app.bearer(long, '/changes')).status).toBe(200);
    expect((await app.bearer(long, '/changes')).status).toBe(200);
    expect(verified).toMatchObject({ verified: 3 });
    revocation.time += 305_000;
    expect(await answerOf(app.bearer(long, '/changes'))).toEqual([401, 'token_invalid']);
  });

  it('a remembered token is checked against each route’s policy, and refused if freshness cannot be proven', async () => {
    const { app, token } = await seen();
    revocation.asked.length = 0;
    await app.bearer(token, '/changes');
    await app.bearer(token, '/changes/strict');
    expect(revocation.asked.map(({ options }) => options.freshness)).toEqual([undefined, 'strict']);
    revocation.verdict = { state: 'unknown', retryAfter: 3 };
    for (const isLate of [false, true]) {
      revocation.isLate = isLate;
      const response = await app.bearer(token, '/changes');
      expect(response.headers.get('retry-after')).toBe('3');
      expect(await answerOf(Promise.resolve(response))).toEqual([503, 'revocation_state_unknown']);
    }
  });

  it('a remembered token is passed to validate() at each request, which may decide differently', async () => {
    answer = { name: 'Alice' };
    const { app, token } = await seen({
      validate: () => answer,
    });
    for (const nobody of [null, false, undefined, Promise.resolve(null)]) {
      answer = nobody;
      expect(await answerOf(app.bearer(token, '/changes'))).toEqual([401, 'token_invalid']);
    }
    answer = Promise.resolve({ name: 'Bob' });
    expect(await (await app.bearer(token, '/changes')).json()).toMatchObject({ name: 'Bob' });
  });

  it('a remembered token gives each request its own copy of the claims', async () => {
    const { app, token } = await seen();
    const expected = { name: 'Alice', roles: ['reader'] };
    for (let round = 0; round < 3; round++) {
      expect(await (await app.bearer(token, '/changes')).json()).toEqual(expected);
    }
    revocation.isLate = true;
    const answers = await Promise.all(
      [1, 2, 3].map(async () => (await app.bearer(token, '/changes')).json()),
    );
    expect(answers).toEqual([expected, expected, expected]);
    const flat = mint(key, claimsAt(revocation.time, { name: 'Bob' }));
    for (let round = 0; round < 3; round++) {
      expect(await (await app.bearer(flat, '/changes')).json()).toEqual({
        name: 'Bob',
        roles: [],
      });
    }
  });

  it('a remembered token still goes through the overrides of a subclass', async () => {
    const { app, find, token } = await seen();
    calls.length = 0;
    const answered = await (await app.bearer(token, '/own')).json();
    expect(answered).toEqual({ account: 'alice', user: null });
    expect([...new Set(calls)].toSorted()).toEqual([
      'getAuthenticateOptions',
      'getRequest',
      'handleRequest',
    ]);
    OwnGuard.refuses = true;
    expect(await answerOf(app.bearer(token, '/own'))).toEqual([401, undefined]);
    OwnGuard.refuses = false;
    revocation.revokedIds.add('session-1');
    const { refusals } = find(AuthMeter);
    const before = refusals.session_ended ?? 0;
    expect(await answerOf(app.bearer(token, '/own'))).toEqual([401, 'session_ended']);
    expect(refusals.session_ended).toBe(before + 1);
  });

  it('a remembered token is checked by the guard, whatever the members of a subclass are called', async () => {
    const { app, token } = await seen();
    expect(await answerOf(app.get('/busy'))).toEqual([401, 'token_missing']);
    expect((await app.bearer(token, '/busy')).status).toBe(200);
    revocation.revokedIds.add('session-1');
    expect(await answerOf(app.bearer(token, '/busy'))).toEqual([401, 'session_ended']);
  });

  it('a remembered token gives an override of canActivate a promise, as the first request did', async () => {
    const { app } = await start();
    const token = mint(key, claimsAt(revocation.time));
    expect((await app.bearer(token, '/chaining')).status).toBe(200);
    expect((await app.bearer(token, '/chaining')).status).toBe(200);
    revocation.revokedIds.add('session-1');
    expect((await app.bearer(token, '/chaining')).status).toBe(403);
  });

  it('a remembered token is accepted if its claims are nested too deep to be copied', async () => {
    const { app, verified } = await start();
    const nested = JSON.parse(`${'['.repeat(2_900)}${']'.repeat(2_900)}`) as unknown;
    const token = mint(key, claimsAt(revocation.time, { nested }));
    for (let round = 1; round <= 2; round++) {
      expect((await app.bearer(token, '/changes/strict')).status).toBe(200);
      expect(verified).toMatchObject({ verified: round, found: 0 });
    }
  });

  it('a remembered token leaves the same on the request as one that passport saw', async () => {
    const { app, verified } = await start();
    const token = mint(key, claimsAt(revocation.time));
    const first = await (await app.bearer(token, '/changes/passport')).json();
    const second = await (await app.bearer(token, '/changes/passport')).json();
    expect(verified).toMatchObject({ verified: 1, found: 1 });
    expect(first).toEqual({
      isAuthenticated: true,
      methods: ['isAuthenticated', 'isUnauthenticated', 'logIn', 'logOut', 'login', 'logout'],
      hasInfo: true,
    });
    expect(second).toEqual(first);
    // Given to the requests of this application, and to nothing else of the process.
    expect('isAuthenticated' in IncomingMessage.prototype).toBe(false);
    expect('isAuthenticated' in {}).toBe(false);
  });

  it('a token is verified each time with verifiedTokens: 0', async () => {
    const { app, verified } = await start({ verifiedTokens: 0 });
    const token = mint(key, claimsAt(revocation.time));
    for (let round = 1; round <= 3; round++) {
      expect((await app.bearer(token, '/changes')).status).toBe(200);
      expect(verified).toMatchObject({ verified: round, found: 0 });
      expect(verified.byTail.size).toBe(0);
    }
  });

  it('a remembered token is not found under any other text', async () => {
    const { app, find, verified, token } = await seen();
    const verifier = find(TokenVerifier);
    for (let at = 0; at < token.length; at++) {
      for (const other of ['A', 'B', '-', '.', ' ', '']) {
        if (token[at] === other) continue;
        const altered = token.slice(0, at) + other + token.slice(at + 1);
        expect(verifier.find(altered)).toBeUndefined();
      }
    }
    expect(verifier.find(`${token} `)).toBeUndefined();
    // The end by which it is looked up is not enough.
    expect(verifier.find(token.slice(-32))).toBeUndefined();
    expect(verifier.find(`${'x'.repeat(token.length - 32)}${token.slice(-32)}`)).toBeUndefined();
    expect(verifier.find(token.toLowerCase())).toBeUndefined();
    const flipped = token.at(-1) === 'A' ? 'E' : 'A';
    expect((await app.bearer(token.slice(0, -1) + flipped, '/changes')).status).toBe(401);
    expect(verified.verified).toBe(1);
  });
});

describe('the memory of verified tokens', () => {
  const key = hmacKey('one');
  const claims = claimsAt(1_700_000_000_000) as unknown as TokenClaims;

  it('the memory stays within its limits, whatever the number and the length of the tokens', () => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const verified = new VerifiedTokens(optionsWith([key]));
    const base = 'x'.repeat(500);
    for (let i = 0; i < 1_000_000; i++) {
      verified.add(new VerifiedToken(`${base}${i}`, claims, key, null));
    }
    expect(verified.byTail.size).toBeLessThanOrEqual(10_000);
    expect(verified.bytes).toBeLessThanOrEqual(16 * 2 ** 20);
    expect(verified.byTail.get(`${base}999999`.slice(-TAIL))?.text).toBe(`${base}999999`);
    const long = 'y'.repeat(8_000);
    for (let i = 0; i < 10_000; i++) {
      verified.add(new VerifiedToken(`${long}${i}`, claims, key, null));
    }
    expect(verified.bytes).toBeLessThanOrEqual(16 * 2 ** 20);
    expect(verified.byTail.size).toBeLessThan(600);
  });

  it('the memory forgets tokens that are not used again', () => {
    const verified = new VerifiedTokens(optionsWith([key], { verifiedTokens: 2 }));
    const add = (text: string): void => verified.add(new VerifiedToken(text, claims, key, null));
    add('one');
    add('two');
    const one = verified.byTail.get('one');
    if (one !== undefined) one.wasUsed = true;
    add('three');
    expect(['one', 'two', 'three'].filter((text) => verified.byTail.has(text))).toEqual([
      'one',
      'three',
    ]);
  });

  it('the memory warns once if fewer than half of the tokens are found again', () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const verified = new VerifiedTokens(optionsWith([key], { verifiedTokens: 10 }));
    const add = (from: number, count: number): void => {
      for (let i = from; i < from + count; i++) {
        verified.add(new VerifiedToken(`token ${i}`, claims, key, null));
      }
    };
    // Each was found once before it was forgotten: that is what the memory is for.
    verified.found += 20;
    add(0, 20);
    expect(warn).not.toHaveBeenCalled();
    add(100, 10);
    add(200, 100);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]?.[0]).toMatch(/verifiedTokens \(now 10\)/);
  });

  it('the memory keeps no claims that are nested too deep to be copied', () => {
    const verified = new VerifiedTokens(optionsWith([key]));
    let nested: unknown = 1;
    for (let level = 0; level < 3_000; level++) nested = [nested];
    verified.add(new VerifiedToken('deep', { ...claims, nested } as TokenClaims, key, null));
    expect(verified.byTail.get('deep')).toBeUndefined();
  });
});
