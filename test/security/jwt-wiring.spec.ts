import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  type ExecutionContext,
  Get,
  ImATeapotException,
  Injectable,
  Module,
  UseGuards,
} from '@nestjs/common';
import { AuthGuard, PassportModule, PassportStrategy } from '@nestjs/passport';
import { Test } from '@nestjs/testing';
import { AllowExpired, AuthWiringError, CurrentUser, Freshness, JwtAuthGuard } from 'nestjs-logout';
import passport from 'passport';
import { Strategy } from 'passport-jwt';
import { assertOneCopyOfNest, bearerToken } from '../support/internals.js';
import {
  answerOf,
  authentication,
  claimsAt,
  FakeRevocation,
  hmacKey,
  MeController,
  mint,
  optionsWith,
  startApp,
  TestApp,
} from '../support/authentication-parts.js';

const key = hmacKey('one');
const opened: TestApp[] = [];

function opening(app: Promise<TestApp>): Promise<TestApp> {
  return app.then((started) => {
    opened.push(started);
    return started;
  });
}

function contextOf(request: object): ExecutionContext {
  return {
    getType: () => 'http',
    getHandler: () => MeController.prototype.me,
    getClass: () => MeController,
    switchToHttp: () => ({ getRequest: () => request, getResponse: () => ({}) }),
  } as unknown as ExecutionContext;
}

@Injectable()
class LenientGuard extends JwtAuthGuard {
  override handleRequest<TUser>(_error: unknown, user: TUser): TUser {
    return user ?? (null as TUser);
  }
}

function registered(): Record<string, unknown> {
  // oxlint-disable-next-line no-underscore-dangle -- passport has no other way to ask.
  return (passport as unknown as { _strategies: Record<string, unknown> })._strategies;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((app) => app.close()));
});

describe('the wiring of the guard', () => {
  it('a guard in an application without AuthModule stops the boot', async () => {
    const testing = Test.createTestingModule({ controllers: [MeController] });
    await expect(testing.compile()).rejects.toThrow(/JwtAuthGuard/);
  });

  it('a guard made by hand throws, and never passes', () => {
    const context = contextOf({ headers: {}, url: '/' });
    expect(() => new JwtAuthGuard().canActivate(context)).toThrow(AuthWiringError);
  });

  it.each(['express', 'fastify'] as const)(
    "an application's own PassportModule does not take the guard over (%s)",
    async (platform) => {
      @Injectable()
      class OpenStrategy extends PassportStrategy(Strategy, 'other') {
        constructor() {
          super({ jwtFromRequest: () => 'x', secretOrKey: 'x' });
        }
        override authenticate(): void {
          this.success({ admin: true });
        }
        validate(): unknown {
          return { admin: true };
        }
      }
      const revocation = new FakeRevocation();
      const options = optionsWith([key]);
      @Module({
        imports: [PassportModule.register({ defaultStrategy: 'other', property: 'other' })],
        controllers: [MeController],
        providers: [OpenStrategy],
      })
      class UsersModule {}
      const app = await opening(
        TestApp.start(platform, { imports: [authentication(options, revocation), UsersModule] }),
      );
      expect(await answerOf(app.get('/me'))).toEqual([401, 'token_missing']);
      const answer = await app.bearer(mint(key, claimsAt(revocation.time)));
      expect(await answer.json()).toMatchObject({ user: { sub: 'alice' } });
    },
  );

  it('a configured strategy name serves AuthGuard of that name, with all rules', async () => {
    @Controller('old')
    @UseGuards(AuthGuard('jwt'))
    class OldController {
      @Get()
      get(): unknown {
        return {};
      }
    }
    const revocation = new FakeRevocation();
    const app = await opening(
      startApp('express', optionsWith([key], { strategyName: 'jwt' }), revocation, {
        controllers: [OldController],
      }),
    );
    const token = mint(key, claimsAt(revocation.time));
    expect((await app.bearer(token, '/old')).status).toBe(200);
    revocation.revokedIds.add('token-1');
    expect(await answerOf(app.bearer(token, '/old'))).toEqual([401, 'session_ended']);
  });

  it('a used strategy name stops the boot, and stays with its owner', async () => {
    const owner = { name: 'taken', authenticate: () => undefined };
    passport.use('taken', owner as never);
    const boot = startApp(
      'express',
      optionsWith([key], { strategyName: 'taken' }),
      new FakeRevocation(),
    );
    await expect(boot).rejects.toThrow(/passport strategy "taken" already exists/);
    expect(registered()['taken']).toBe(owner);
    passport.unuse('taken');
  });

  it('a strategy of a closing application makes room, and does not take the name back', async () => {
    let arrived = (): void => undefined;
    let answer = (): void => undefined;
    const inHand = new Promise<void>((resolve) => (arrived = resolve));
    const finished = new Promise<void>((resolve) => (answer = resolve));
    @Controller('old')
    class OldController {
      @Get('slow')
      async slow(): Promise<string> {
        arrived();
        await finished;
        return 'done';
      }

      @Get()
      @UseGuards(AuthGuard('reloaded'))
      get(): string {
        return 'in';
      }
    }
    const revocation = new FakeRevocation();
    const start = (): Promise<TestApp> =>
      startApp('express', optionsWith([key], { strategyName: 'reloaded' }), revocation, {
        controllers: [OldController],
      });
    const one = await start();
    await expect(start()).rejects.toThrow('await app.close()');
    const slow = one.get('/old/slow');
    await inHand;
    // As the hot reload of the documentation: close() is called and not awaited.
    const closing = one.close();
    const two = await opening(start());
    const token = mint(key, claimsAt(revocation.time));
    expect((await two.bearer(token, '/old')).status).toBe(200);
    answer();
    await slow;
    await closing;
    expect((await two.bearer(token, '/old')).status).toBe(200);
  });

  it('the strategy names are released at shutdown', async () => {
    const names = (): string[] => Object.keys(registered());
    const before = names();
    const app = await startApp(
      'express',
      optionsWith([key], { strategyName: 'mine' }),
      new FakeRevocation(),
    );
    expect(names()).toContain('mine');
    await app.close();
    expect(names()).toEqual(before);
  });

  it('two applications in one process refuse each other’s tokens', async () => {
    const revocation = new FakeRevocation();
    const keys = [hmacKey('same'), hmacKey('same')] as const;
    const [a, b] = await Promise.all(
      keys.map((own) => opening(startApp('fastify', optionsWith([own]), revocation))),
    );
    const tokens = keys.map((own) => mint(own, claimsAt(revocation.time)));
    const status = async (app: TestApp | undefined, token = ''): Promise<number | undefined> =>
      (await app?.bearer(token))?.status;
    expect(await status(a, tokens[0])).toBe(200);
    expect(await status(b, tokens[1])).toBe(200);
    expect(await status(a, tokens[1])).toBe(401);
    expect(await status(b, tokens[0])).toBe(401);
  });
});

describe('a second copy of @nestjs/common', () => {
  it('a second copy of @nestjs/common stops the boot, because Nest would answer 500 to its exceptions', () => {
    class OfAnotherCopy extends Error {
      getStatus = (): number => 401;
      getResponse = (): object => ({});
    }
    expect(() => assertOneCopyOfNest(new OfAnotherCopy())).toThrow(AuthWiringError);
    expect(() => assertOneCopyOfNest(new OfAnotherCopy())).toThrow('npm ls @nestjs/common');
    expect(() => assertOneCopyOfNest()).not.toThrow();
  });
});

describe('what an application may override', () => {
  it('a handleRequest that returns any user does not accept a revoked token', async () => {
    @Controller('who')
    @UseGuards(LenientGuard)
    class WhoController {
      @Get()
      who(@CurrentUser() user: unknown): unknown {
        return { user };
      }
    }
    const revocation = new FakeRevocation();
    const app = await opening(
      startApp('express', optionsWith([key]), revocation, {
        controllers: [WhoController],
      }),
    );
    const token = mint(key, claimsAt(revocation.time));
    expect(await (await app.bearer(token, '/who')).json()).toMatchObject({
      user: { sub: 'alice' },
    });
    revocation.revokedIds.add('token-1');
    expect(await (await app.bearer(token, '/who')).json()).toEqual({});
    revocation.revokedIds.clear();
    revocation.verdict = { state: 'unknown', retryAfter: 1 };
    expect(await (await app.bearer(token, '/who')).json()).toEqual({});
  });

  it('getAuthenticateOptions cannot remove what the route requires', async () => {
    @Injectable()
    class OwnGuard extends JwtAuthGuard {
      override getAuthenticateOptions(): Record<string, unknown> {
        return { property: 'account' };
      }
    }
    @Controller('strict')
    @UseGuards(OwnGuard)
    class StrictController {
      @Freshness('strict')
      @Get()
      get(): unknown {
        return {};
      }
    }
    const revocation = new FakeRevocation();
    const app = await opening(
      startApp('fastify', optionsWith([key]), revocation, { controllers: [StrictController] }),
    );
    await app.bearer(mint(key, claimsAt(revocation.time)), '/strict');
    expect(revocation.asked.at(-1)?.options).toEqual({ freshness: 'strict', kid: 'one' });
  });

  it('an exception of the application’s own validate passes through as it is', async () => {
    const validate = (): never => {
      throw new ImATeapotException();
    };
    const revocation = new FakeRevocation();
    const app = await opening(startApp('express', optionsWith([key], { validate }), revocation));
    expect((await app.bearer(mint(key, claimsAt(revocation.time)))).status).toBe(418);
  });
});

describe('the limit of 8 KB', () => {
  it('a header that is too long is refused before it is parsed', async () => {
    const revocation = new FakeRevocation();
    const app = await opening(startApp('fastify', optionsWith([key]), revocation));
    const token = mint(key, claimsAt(revocation.time, { pad: 'x'.repeat(7000) }));
    expect(await answerOf(app.bearer(token))).toEqual([401, 'token_malformed']);
    expect(revocation.asked).toEqual([]);
  });

  it('a token of 8192 characters is accepted and one of 8193 refused, whatever the characters', () => {
    expect(() => bearerToken({ headers: { authorization: `Bearer ${'a'.repeat(8193)}` } })).toThrow(
      expect.objectContaining({ code: 'token_malformed' }),
    );
    expect(bearerToken({ headers: { authorization: `Bearer ${'a'.repeat(8192)}` } })).toHaveLength(
      8192,
    );
  });
});

describe('a logout route', () => {
  it('a logout route accepts expired and revoked tokens, but none of a revoked key', async () => {
    @Controller('bye')
    @UseGuards(JwtAuthGuard)
    class ByeController {
      @AllowExpired()
      @Get()
      get(): unknown {
        return {};
      }
    }
    const revocation = new FakeRevocation();
    const app = await opening(
      startApp('express', optionsWith([key]), revocation, { controllers: [ByeController] }),
    );
    const token = mint(key, claimsAt(revocation.time));
    revocation.time += 86_400_000;
    revocation.revokedIds.add('token-1');
    revocation.verdict = { state: 'unknown', retryAfter: 1 };
    expect((await app.bearer(token, '/bye')).status).toBe(200);
    expect(await answerOf(app.bearer(`${token}A`, '/bye'))).toEqual([401, 'token_invalid']);
    revocation.revokedKeys.add('one');
    expect(await answerOf(app.bearer(token, '/bye'))).toEqual([401, 'key_revoked']);
  });
});
