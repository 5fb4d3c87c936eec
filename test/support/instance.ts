import type { INestApplication, ModuleMetadata, Provider, Type } from '@nestjs/common';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { DataSource as DataSourceToken } from 'typeorm';
import { AuthModule } from '../../lib/auth.module.js';
import { TokenService } from '../../lib/authentication/token.service.js';
import { AuthClock } from '../../lib/platform/auth-clock.js';
import { AuthException } from '../../lib/errors/auth.exception.js';
import type { AuthErrorCode } from '../../lib/errors/error-codes.js';
import { LogoutService } from '../../lib/logout/logout.service.js';
import type { AuthKeySource } from '../../lib/options/auth-key.js';
import type { AuthSettings } from '../../lib/options/auth-options.js';
import { LogConnection } from '../../lib/revocation/log/log-connection.service.js';
import type { OpenLog } from '../../lib/revocation/log/open-log.js';
import { LogCursor } from '../../lib/revocation/feed/log-cursor.js';
import { RevocationFeed } from '../../lib/revocation/feed/revocation-feed.service.js';
import { RevocationIndex } from '../../lib/revocation/index/revocation-index.js';
import { ProofClock } from '../../lib/revocation/staleness/proof-clock.js';
import { RevocationLog } from '../../lib/revocation/log/revocation-log.service.js';
import { RevocationPurge } from '../../lib/revocation/log/revocation-purge.service.js';
import { RevocationService } from '../../lib/revocation/revocation.service.js';
import { SessionService } from '../../lib/sessions/session.service.js';
import type { TestDatabase } from './databases.js';
import { loginBy } from './login-by.js';

/** The options of a test; everything else is as in an application. */
export interface InstanceSettings {
  readonly clock?: AuthClock;
  readonly options?: Partial<AuthSettings>;
  readonly secret?: string;
  /** Instead of the secret. */
  readonly keys?: AuthKeySource;
  readonly controllers?: Type[];
  readonly providers?: Provider[];
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
  /** What `main.ts` does between the creation of the application and `init()`. */
  readonly beforeInit?: (app: INestApplication) => void;
  readonly platform?: 'express' | 'fastify';
  /**
   * Whether it jumps when it loads on SQLite, as every real one does (H3). Most tests count
   * positions from 1, and are about something else.
   */
  readonly jumpsAtLoad?: boolean;
}

/** One Nest application with our module on a real database, and its services. */
export interface Instance {
  readonly app: INestApplication;
  readonly dataSource: DataSource;
  readonly clock: AuthClock;
  readonly sessions: SessionService;
  readonly logout: LogoutService;
  readonly tokens: TokenService;
  readonly revocation: RevocationService;
  readonly log: RevocationLog;
  readonly feed: RevocationFeed;
  readonly cursor: LogCursor;
  readonly proofs: ProofClock;
  readonly index: RevocationIndex;
  readonly purge: RevocationPurge;
  readonly open: () => Promise<OpenLog>;
  /** Logs in a subject and returns the access token. */
  readonly login: (subject?: string) => Promise<string>;
  /** `'active'`, or the code with which the token is refused. */
  readonly judge: (token: string) => Promise<'active' | AuthErrorCode>;
  readonly close: () => Promise<void>;
}

/** Starts an instance; several on one database follow each other, as processes would. */
export async function startInstance(
  database: TestDatabase,
  settings: InstanceSettings = {},
): Promise<Instance> {
  const builder = Test.createTestingModule({
    imports: [
      TypeOrmModule.forRoot(database.options),
      AuthModule.forRoot({
        ...(settings.keys === undefined
          ? { secret: settings.secret ?? 'a secret of the tests: 32 bytes or more' }
          : { keys: settings.keys }),
        issuer: 'https://issuer.test',
        audience: 'https://audience.test',
        migrations: 'run',
        ...settings.options,
      }),
      ...(settings.imports ?? []),
    ],
    controllers: settings.controllers ?? [],
    providers: settings.providers ?? [],
  });
  if (settings.clock !== undefined) builder.overrideProvider(AuthClock).useValue(settings.clock);
  const module = await builder.compile();
  const app =
    settings.platform === 'fastify'
      ? module.createNestApplication(await newFastify(), { logger: false })
      : module.createNestApplication({ logger: false });
  if (settings.jumpsAtLoad !== true) keepPositions(module.get(LogConnection, { strict: false }));
  settings.beforeInit?.(app);
  try {
    await app.init();
  } catch (error) {
    await app.close();
    throw error;
  }
  const sessions = app.get(SessionService);
  const tokens = app.get(TokenService);
  return {
    app,
    dataSource: app.get(DataSourceToken),
    clock: app.get(AuthClock),
    sessions,
    tokens,
    logout: app.get(LogoutService),
    revocation: app.get(RevocationService),
    log: app.get(RevocationLog),
    feed: app.get(RevocationFeed),
    cursor: app.get(LogCursor, { strict: false }),
    proofs: app.get(ProofClock, { strict: false }),
    index: app.get(RevocationIndex),
    purge: app.get(RevocationPurge),
    open: () => app.get(LogConnection, { strict: false }).open(),
    login: loginBy(sessions),
    judge: async (token) => {
      try {
        await tokens.verify(token);
        return 'active';
      } catch (error) {
        if (error instanceof AuthException) return error.code;
        throw error;
      }
    },
    close: () => app.close(),
  };
}

/** Loaded on demand: few tests need it, and it has a hundred modules. */
async function newFastify(): Promise<FastifyAdapter> {
  const { FastifyAdapter } = await import('@nestjs/platform-fastify');
  return new FastifyAdapter();
}

function keepPositions(connection: LogConnection): void {
  const { open } = connection;
  connection.open = async () => {
    const log = await open.call(connection);
    if (log.history.seen === 0) log.history.jumped(0);
    return log;
  };
}
