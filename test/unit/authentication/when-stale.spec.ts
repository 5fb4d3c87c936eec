import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { JwtAuthGuard } from '../../../lib/authentication/jwt-auth.guard.js';
import { Public } from '../../../lib/authentication/decorators.js';
import { AuthWiringError } from '../../../lib/errors/auth-wiring.error.js';
import {
  Freshness,
  routeDemandOf,
  type RouteTarget,
  WhenStale,
} from '../../../lib/revocation/staleness/freshness.decorators.js';
import {
  claimsAt,
  FakeRevocation,
  hmacKey,
  mint,
  optionsWith,
  type Platform,
  startApp,
  type TestApp,
} from '../../support/authentication-parts.js';

@WhenStale('open')
class Open {
  plain(): void {}
  @WhenStale('closed') closed(): void {}
  @WhenStale({ staleFor: 60 }) other(): void {}
  @Freshness(2) fresh(): void {}
  @Freshness('strict') strict(): void {}
  @Freshness(2) @WhenStale({ staleFor: 60 }) freshOrNot(): void {}
  @Freshness('strict') @WhenStale('closed') strictAndClosed(): void {}
  @Freshness('strict') @WhenStale('open') nonsense(): void {}
}

@Freshness('strict')
class Strict {
  plain(): void {}
  @Freshness(2) @WhenStale('open') lessStrict(): void {}
  @WhenStale('open') nonsense(): void {}
}

@Freshness(2)
@WhenStale('open')
class FreshOrOpen {
  plain(): void {}
}

@Freshness('strict')
@WhenStale('open')
class Nonsense {
  plain(): void {}
  @Freshness(2) fresh(): void {}
}

const demandOf = (type: new () => object, name: string): unknown =>
  routeDemandOf((type.prototype as Record<string, RouteTarget>)[name] as RouteTarget, type);

describe('what a route requires', () => {
  it.each<[new () => object, string, unknown, unknown]>([
    [Open, 'plain', undefined, 'open'],
    [Open, 'closed', undefined, 'closed'],
    [Open, 'other', undefined, { staleFor: 60 }],
    // A class, or a module, never loosens a handler that asks for freshness.
    [Open, 'fresh', 2, undefined],
    [Open, 'strict', 'strict', undefined],
    [Open, 'freshOrNot', 2, { staleFor: 60 }],
    [Open, 'strictAndClosed', 'strict', 'closed'],
    [Strict, 'plain', 'strict', undefined],
    [Strict, 'lessStrict', 2, 'open'],
    [FreshOrOpen, 'plain', 2, 'open'],
  ])('the strategy reads what %p.%s requires', (type, name, freshness, whenStale) => {
    expect(demandOf(type, name)).toEqual({ freshness, whenStale });
  });

  it.each<[new () => object, string, string]>([
    [Open, 'nonsense', 'Open.nonsense'],
    [Strict, 'nonsense', 'Strict.nonsense'],
    [Nonsense, 'plain', 'Nonsense'],
    [Nonsense, 'fresh', 'Nonsense'],
  ])('%p.%s contradicts itself', (type, name, route) => {
    expect(() => demandOf(type, name)).toThrow(AuthWiringError);
    expect(() => demandOf(type, name)).toThrow(`${route} has @Freshness('strict')`);
  });
});

describe('@WhenStale()', () => {
  it.each([undefined, null, true, 'OPEN', '10m', 60, {}, [], { staleFor: '600' }, { staleFor: 0 }])(
    '@WhenStale() refuses a value that is no policy: %p',
    (value) => {
      expect(() => WhenStale(value as never)(class {})).toThrow(AuthWiringError);
    },
  );
});

@Public()
@Controller('public')
class PublicController {
  @WhenStale('open') @Get() guarded(): unknown {
    return {};
  }
}

@WhenStale({ staleFor: 60 })
@Controller('routes')
class RoutesController {
  @Get() byClass(): unknown {
    return {};
  }

  @WhenStale('open') @Get('open') byHandler(): unknown {
    return {};
  }
}

describe.each<Platform>(['express', 'fastify'])('the strategy on %s', (platform) => {
  const key = hmacKey('k');
  const revocation = new FakeRevocation();
  const token = mint(key, claimsAt(revocation.time));
  let app: TestApp;

  beforeAll(async () => {
    app = await startApp(platform, optionsWith([key]), revocation, {
      controllers: [PublicController, RoutesController],
      providers: [{ provide: APP_GUARD, useExisting: JwtAuthGuard }],
    });
  });
  afterAll(() => app.close());
  beforeEach(() => {
    revocation.asked.length = 0;
  });

  it('the strategy reads the policy of the handler, else that of its class, else none', async () => {
    for (const path of ['/routes', '/routes/open', '/me']) await app.bearer(token, path);
    const heard = revocation.asked.map(({ options }) => options?.whenStale);
    expect(heard).toEqual([{ staleFor: 60 }, 'open', undefined]);
  });

  it('the strategy reads the token of a handler with a policy, although its class is public', async () => {
    expect((await app.get('/public')).status).toBe(401);
    expect((await app.bearer(token, '/public')).status).toBe(200);
  });
});
