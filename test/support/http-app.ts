import { Controller, Get, Injectable, Module, Post, Req, UseGuards } from '@nestjs/common';
import type { INestApplication, Type } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import {
  AuthClock,
  type AuthKeySource,
  type AuthHttpOptions,
  AuthModule,
  type AuthSettings,
  type Credentials,
  CurrentToken,
  JwtAuthGuard,
  OptionalAuth,
  type TokenClaims,
} from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { sqlite } from './databases.js';
import { HttpClient, PASSWORD } from './http-client.js';
import { SHARED_SECRET } from './mint-token.js';

/** Issuer and audience of {@link mintToken}. */
const NAME = 'nestjs-logout-quickstart';

/** One application with the library's own routes. */
export interface HttpApp {
  readonly app: INestApplication;
  readonly client: HttpClient;
  readonly clock: TestClock;
  /** Runs a statement on the application's database. */
  readonly sql: (statement: string) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

/** The options of a test. */
export interface HttpAppSettings {
  /** `null`: the option is left out. */
  readonly http?: Partial<AuthHttpOptions> | null;
  readonly options?: Partial<AuthSettings>;
  /** Instead of the secret. */
  readonly keys?: AuthKeySource;
  /** By `forRootAsync`, with `http` beside the factory. */
  readonly viaFactory?: boolean;
  readonly controllers?: Type[];
  /** Trusts `X-Forwarded-For` and `X-Forwarded-Host`, as behind one proxy, or behind several. */
  readonly trustProxy?: boolean | string[];
  readonly configure?: (app: INestApplication) => void;
}

/** Knows alice, bob and admin, and remembers what it was given. */
@Injectable()
export class UsersVerifier {
  readonly seen: { credentials: Credentials; ip: unknown }[] = [];

  verifyCredentials(credentials: Credentials, request: object): { subject: string } | null {
    this.seen.push({ credentials, ip: Reflect.get(request, 'ip') });
    const { username, password } = credentials;
    const isKnown = ['alice', 'bob', 'admin'].includes(username);
    return isKnown && password === PASSWORD ? { subject: username } : null;
  }
}

@Controller()
class OwnController {
  @Get('me')
  @UseGuards(JwtAuthGuard)
  me(@CurrentToken() token: TokenClaims): { sub: string } {
    return { sub: token.sub };
  }

  @Post('orders')
  @UseGuards(JwtAuthGuard)
  order(@CurrentToken() token: TokenClaims): { by: string } {
    return { by: token.sub };
  }

  @Get('greeting')
  @OptionalAuth()
  @UseGuards(JwtAuthGuard)
  greet(@CurrentToken() token: TokenClaims | undefined, @Req() _request: object): { to: string } {
    return { to: token?.sub ?? 'stranger' };
  }
}

@Module({ providers: [UsersVerifier], controllers: [OwnController] })
class UsersModule {}

const DEFAULT_ROUTES: AuthHttpOptions = {
  verifyCredentials: UsersVerifier,
  mayIntrospect: ({ role }) => role === 'admin',
};

/** The same application on Express and on Fastify, each with its own database. */
export function startBothHttp(settings: HttpAppSettings = {}): Promise<[HttpApp, HttpApp]> {
  return Promise.all([startHttp('express', settings), startHttp('fastify', settings)]);
}

/** The application on one platform. */
export async function startHttp(
  platform: 'express' | 'fastify',
  {
    http,
    options,
    keys,
    viaFactory,
    controllers,
    trustProxy = false,
    configure,
  }: HttpAppSettings = {},
): Promise<HttpApp> {
  const database = await sqlite.migrated();
  const clock = new TestClock();
  const given = {
    ...(keys === undefined ? { secret: SHARED_SECRET } : { keys }),
    issuer: NAME,
    audience: NAME,
    migrations: 'run',
    claims: (subject: string) => ({ role: subject === 'admin' ? 'admin' : 'user' }),
    ...options,
  } as const;
  const routes = http === null ? {} : { http: { ...DEFAULT_ROUTES, ...http } };
  const module = await Test.createTestingModule({
    imports: [
      UsersModule,
      TypeOrmModule.forRoot(database.options),
      viaFactory === true
        ? AuthModule.forRootAsync({ useFactory: () => given, ...routes })
        : AuthModule.forRoot({ ...given, ...routes }),
    ],
    controllers: controllers ?? [],
  })
    .overrideProvider(AuthClock)
    .useValue(clock)
    .compile();
  const app =
    platform === 'fastify'
      ? module.createNestApplication(new FastifyAdapter({ trustProxy }), { logger: false })
      : module.createNestApplication({ logger: false });
  if (platform === 'express') app.getHttpAdapter().getInstance().set('trust proxy', trustProxy);
  configure?.(app);
  await app.listen(0, '127.0.0.1');
  const dataSource = app.get(DataSource);
  return {
    app,
    client: new HttpClient(await app.getUrl()),
    clock,
    sql: (statement) => dataSource.query(statement),
    close: async () => {
      await app.close();
      await database.drop();
    },
  };
}
