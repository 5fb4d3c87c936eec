import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, SetMetadata, UseGuards } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import {
  CurrentToken,
  CurrentUser,
  OptionalAuth,
  Public,
} from '../../../lib/authentication/decorators.js';
import { JwtAuthGuard } from '../../../lib/authentication/jwt-auth.guard.js';
import type { TokenClaims } from '../../../lib/options/token-claims.js';
import { Freshness } from '../../../lib/revocation/staleness/freshness.decorators.js';
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
} from '../../support/authentication-parts.js';

@Public()
@Controller('open')
class OpenController {
  @Get()
  open(@CurrentToken() token: unknown): unknown {
    return { token: token ?? null };
  }

  @Public(false)
  @Get('closed')
  closed(): unknown {
    return {};
  }

  @OptionalAuth()
  @Get('optional')
  optional(@CurrentUser('name') name: unknown): unknown {
    return { name: name ?? null };
  }
}

@Freshness(2)
@Controller('routes')
class RoutesController {
  @Get()
  byClass(): unknown {
    return {};
  }

  @Freshness('strict')
  @Get('strict')
  byHandler(): unknown {
    return {};
  }

  @SetMetadata('isPublic', true)
  @Get('theirs')
  theirs(): unknown {
    return {};
  }

  @UseGuards(JwtAuthGuard)
  @Get('twice')
  twice(@CurrentUser() user: unknown): unknown {
    return user;
  }
}

describe.each<Platform>(['express', 'fastify'])('JwtAuthGuard as APP_GUARD on %s', (platform) => {
  const key = hmacKey('k');
  const revocation = new FakeRevocation();
  const { time } = revocation;
  const token = mint(key, claimsAt(time));
  let app: TestApp;
  let shaped: unknown = { name: 'Alice' };

  beforeAll(async () => {
    const validate = (claims: TokenClaims, request: object): unknown =>
      'headers' in request && claims.sub === 'alice' ? shaped : null;
    const options = optionsWith([key], { validate, publicMetadataKey: 'isPublic' });
    app = await startApp(platform, options, revocation, {
      controllers: [OpenController, RoutesController],
      providers: [{ provide: APP_GUARD, useExisting: JwtAuthGuard }],
    });
  });
  afterAll(() => app.close());
  beforeEach(() => {
    shaped = { name: 'Alice' };
    revocation.isLate = false;
    revocation.asked.length = 0;
  });

  it('JwtAuthGuard as APP_GUARD guards every route', async () => {
    expect(await answerOf(app.get('/routes'))).toEqual([401, 'token_missing']);
    expect((await app.bearer(token, '/routes')).status).toBe(200);
  });

  it('@Public() does not read the token, also with the application’s own metadata key', async () => {
    expect(await (await app.bearer('rubbish', '/open')).json()).toEqual({ token: null });
    expect((await app.get('/open?access_token=x')).status).toBe(200);
    expect((await app.get('/routes/theirs')).status).toBe(200);
  });

  it('decorators of the handler win over those of its class', async () => {
    expect(await answerOf(app.get('/open/closed'))).toEqual([401, 'token_missing']);
    await app.bearer(token, '/routes');
    await app.bearer(token, '/routes/strict');
    expect(revocation.asked.map(({ options }) => options?.freshness)).toEqual([2, 'strict']);
  });

  it('@OptionalAuth() accepts requests without a token, and refuses invalid tokens', async () => {
    expect(await (await app.get('/open/optional')).json()).toEqual({ name: null });
    expect(await (await app.get('/open/optional', 'Basic eDp5')).json()).toEqual({ name: null });
    expect(await (await app.bearer(token, '/open/optional')).json()).toEqual({ name: 'Alice' });
    const bad = await app.bearer('rubbish', '/open/optional');
    expect(bad.headers.get('www-authenticate')).toContain('invalid_token');
    expect(await answerOf(Promise.resolve(bad))).toEqual([401, 'token_malformed']);
    expect((await app.get('/open/optional?access_token=x')).status).toBe(400);
  });

  it('validate returns the user, and the claims stay unchanged', async () => {
    const body = await (await app.bearer(token)).json();
    expect(body).toEqual({ user: { name: 'Alice' }, token: claimsAt(time) });
    for (const nobody of [null, undefined, false]) {
      shaped = nobody;
      expect(await answerOf(app.bearer(token))).toEqual([401, 'token_invalid']);
    }
  });

  it('the guard may run twice in one request', async () => {
    expect(await (await app.bearer(token, '/routes/twice')).json()).toEqual({ name: 'Alice' });
  });

  it('the guard waits for a slow decision', async () => {
    revocation.isLate = true;
    expect((await app.bearer(token)).status).toBe(200);
    revocation.revokedIds.add('token-1');
    expect(await answerOf(app.bearer(token))).toEqual([401, 'session_ended']);
    revocation.revokedIds.clear();
  });

  it('an unproven freshness is a 503 with Retry-After', async () => {
    const before = revocation.verdict;
    revocation.verdict = { state: 'unknown', retryAfter: 3 };
    const answer = await app.bearer(token);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('3');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    revocation.verdict = before;
  });
});

describe('the decorators', () => {
  it('@Freshness() refuses values that cannot be compared', () => {
    for (const value of [Number.NaN, -1, Number.POSITIVE_INFINITY, '5', undefined]) {
      expect(() => Freshness(value as never)(class {})).toThrow(/neither "strict" nor a number/);
    }
  });
});
