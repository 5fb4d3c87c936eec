import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  Controller,
  Get,
  type INestApplication,
  Inject,
  Injectable,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { JwtService } from '@nestjs/jwt';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import passport from 'passport';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  AuthModule,
  CurrentToken,
  CurrentUser,
  JwtAuthGuard,
  LogoutService,
  OptionalAuth,
  Public,
  RevocationGuard,
  type TokenClaims,
  TokenService,
} from 'nestjs-logout';
import { issueTestToken, overrideAuth } from 'nestjs-logout/testing';
import { fetchOnce } from '../support/fetch-once.js';

@Controller('guarded')
@UseGuards(JwtAuthGuard)
class GuardedController {
  @Get()
  read(@CurrentUser() user: unknown, @CurrentToken() token: TokenClaims): object {
    return { user, subject: token.sub };
  }
}

@Controller('plain')
class PlainController {
  @Get()
  read(@CurrentUser('role') role: string): object {
    return { role };
  }
}

@Injectable()
class OwnGuard extends JwtAuthGuard {}

@Controller('own')
@UseGuards(OwnGuard, RevocationGuard)
class OwnGuardController {
  constructor(@Inject('GREETING') private readonly greeting: string) {}

  @Get()
  read(@CurrentUser() user: unknown, @CurrentToken() token?: TokenClaims): object {
    return { user, subject: token?.sub, greeting: this.greeting };
  }
}

@Controller('own')
@UseGuards(OwnGuard)
class OpenController {
  constructor(@Inject('GREETING') private readonly greeting: string) {}

  @OptionalAuth()
  @Get('optional')
  optional(@CurrentUser() user: unknown, @CurrentToken() token?: TokenClaims): object {
    return { user, subject: token?.sub, greeting: this.greeting };
  }

  @Public()
  @Get('public')
  open(@CurrentUser() user: unknown, @CurrentToken() token?: TokenClaims): object {
    return this.optional(user, token);
  }
}

const namesInPassport = (): string[] => Object.keys(Reflect.get(passport, '_strategies') as object);

const OPTIONS = {
  secret: 'a secret of the tests: 32 bytes or more',
  issuer: 'https://issuer.test',
  audience: 'https://audience.test',
} as const;

describe('nestjs-logout/testing', () => {
  let app: INestApplication | undefined;

  afterEach(async () => {
    jest.useRealTimers();
    await app?.close();
    app = undefined;
  });

  const start = async (builder: TestingModuleBuilder): Promise<string> => {
    app = (await builder.compile()).createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    return app.getUrl();
  };
  const read = async (url: string, token?: string): Promise<[number, unknown]> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetchOnce(url, { headers });
    return [response.status, await response.json()];
  };

  it('overrideAuth lets @UseGuards accept requests as the given user, without a token or a database', async () => {
    const builder = Test.createTestingModule({
      imports: [AuthModule.forRoot(OPTIONS)],
      controllers: [GuardedController],
    });
    const url = await start(overrideAuth(builder, { sub: 'alice', role: 'admin' }));
    expect(await read(`${url}/guarded`)).toEqual([
      200,
      { user: { sub: 'alice', role: 'admin' }, subject: 'alice' },
    ]);
  });

  it('overrideAuth lets an APP_GUARD with useExisting accept requests', async () => {
    const builder = Test.createTestingModule({
      imports: [AuthModule.forRoot(OPTIONS)],
      controllers: [PlainController],
      providers: [{ provide: APP_GUARD, useExisting: JwtAuthGuard }],
    });
    const url = await start(overrideAuth(builder, { role: 'admin' }));
    expect(await read(`${url}/plain`)).toEqual([200, { role: 'admin' }]);
  });

  it.each([
    ['without AuthModule and without a secret', []],
    ['with AuthModule', [AuthModule.forRoot(OPTIONS)]],
  ])('overrideAuth finds a user for each request, %s', async (_with, imports) => {
    const builder = Test.createTestingModule({
      imports,
      controllers: [OwnGuardController, OpenController],
    });
    overrideAuth(builder, ({ headers }) =>
      headers['authorization'] === undefined ? null : { sub: String(headers['authorization']) },
    );
    // A mocker of the test itself still works, in whatever order it is set.
    builder.useMocker((token) => (token === 'GREETING' ? 'hello' : undefined));
    const url = await start(builder);
    for (const route of ['own', 'own/optional', 'own/public']) {
      expect(await read(`${url}/${route}`, 'x')).toEqual([
        200,
        { user: { sub: 'Bearer x' }, subject: 'Bearer x', greeting: 'hello' },
      ]);
    }
    expect(await read(`${url}/own`)).toMatchObject([401, { code: 'token_missing' }]);
    expect(await read(`${url}/own/optional`)).toEqual([200, { greeting: 'hello' }]);
    expect(await read(`${url}/own/public`)).toEqual([200, { greeting: 'hello' }]);
  });

  it('overrideAuth registers nothing with passport', async () => {
    const before = namesInPassport();
    await start(
      overrideAuth(Test.createTestingModule({ controllers: [GuardedController] }), {
        sub: 'alice',
      }),
    );
    expect(namesInPassport()).toEqual(before);
  });

  it('overrideAuth accepts a token of the application’s own key in TokenService, as a gateway asks', async () => {
    const builder = Test.createTestingModule({ imports: [AuthModule.forRoot(OPTIONS)] });
    await start(overrideAuth(builder));
    const jwt = app?.get(JwtService, { strict: false });
    const claims = { sub: 'alice', sid: 'session', jti: 'token', gen: 7 };
    const token = jwt?.sign(claims, { header: { alg: 'HS256', typ: 'at+jwt' }, expiresIn: 60 });
    await expect(app?.get(TokenService).verify(token ?? '')).resolves.toMatchObject(claims);
  });

  it('overrideAuth makes a logout fail with an error that there is no log', async () => {
    const builder = Test.createTestingModule({ imports: [AuthModule.forRoot(OPTIONS)] });
    await start(overrideAuth(builder));
    await expect(app?.get(LogoutService).logoutAll('alice')).rejects.toMatchObject({
      code: 'storage_unavailable',
      cause: { message: expect.stringContaining('overrideAuth') },
    });
  });

  it('issueTestToken returns a token that the guard accepts and a logout revokes, in memory', async () => {
    const url = await start(withDatabase());
    const token = await issueTestToken(app as INestApplication, 42n, { role: 'editor' });
    expect(await read(`${url}/guarded`, token)).toMatchObject([
      200,
      { user: { sub: '42', role: 'editor' } },
    ]);
    await app?.get(LogoutService).logout(token);
    expect(await read(`${url}/guarded`, token)).toMatchObject([401, { code: 'session_ended' }]);
  });

  it('the guard decides while jest’s fake timers stand still and while they jump', async () => {
    const url = await start(withDatabase());
    const token = await issueTestToken(app as INestApplication, 'alice');
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    expect(await read(`${url}/guarded`, token)).toMatchObject([200, {}]);
    jest.setSystemTime(Date.now() + 60_000);
    expect(await read(`${url}/guarded`, token)).toMatchObject([200, {}]);
    await app?.get(LogoutService).logout(token);
    expect(await read(`${url}/guarded`, token)).toMatchObject([401, { code: 'session_ended' }]);
    jest.setSystemTime(Date.now() + 3_600_000);
    expect(await read(`${url}/guarded`, token)).toMatchObject([401, { code: 'token_expired' }]);
  });
});

function withDatabase(): TestingModuleBuilder {
  return Test.createTestingModule({
    imports: [
      TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:' }),
      AuthModule.forRoot({ ...OPTIONS, migrations: 'run' }),
    ],
    controllers: [GuardedController],
  });
}
