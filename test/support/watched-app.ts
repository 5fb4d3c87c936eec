import { Controller, Get, Header, type INestApplication, UseGuards } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Registry } from 'prom-client';
import type { DataSourceOptions } from 'typeorm';
import {
  AuthClock,
  AuthModule,
  type AuthSettings,
  CurrentToken,
  JwtAuthGuard,
  LogoutService,
  SessionService,
  type TokenClaims,
} from 'nestjs-logout';
import { AuthPrometheusModule } from 'nestjs-logout/prometheus';
import { AuthHealthIndicator } from 'nestjs-logout/terminus';
import { HttpClient } from './http-client.js';
import { loginBy } from './login-by.js';
import { Scrape } from './scrape.js';

/** An application whose health and metrics are read from its endpoints, as an orchestrator does. */
export interface WatchedApp {
  readonly app: INestApplication;
  readonly client: HttpClient;
  readonly sessions: SessionService;
  readonly logout: LogoutService;
  /** Logs a subject in and gives the access token. */
  readonly login: (subject?: string) => Promise<string>;
  /** What Prometheus reads at this moment. */
  readonly scrape: () => Promise<Scrape>;
  readonly close: () => Promise<void>;
}

/** What a test may choose. */
export interface WatchedSettings {
  readonly options?: Partial<AuthSettings>;
  readonly clock?: AuthClock;
  /** The application has this database too, and its transactions take revocations. */
  readonly viaTypeOrm?: boolean;
}

@Controller('me')
class MeController {
  @Get()
  @UseGuards(JwtAuthGuard)
  me(@CurrentToken() token: TokenClaims): { sub: string } {
    return { sub: token.sub };
  }
}

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly auth: AuthHealthIndicator,
  ) {}

  @Get('live')
  @HealthCheck()
  live(): unknown {
    return this.health.check([() => this.auth.isAlive()]);
  }

  @Get('ready')
  @HealthCheck()
  ready(): unknown {
    return this.health.check([() => this.auth.isReady()]);
  }

  @Get('fresh')
  @HealthCheck()
  fresh(): unknown {
    return this.health.check([() => this.auth.isReady('tokens', { failWhenStale: true })]);
  }
}

/** Starts one; only the log has a database, unless the settings say otherwise. */
export async function startWatched(
  platform: 'express' | 'fastify',
  dataSource: DataSourceOptions,
  { options, clock, viaTypeOrm = false }: WatchedSettings = {},
): Promise<WatchedApp> {
  const registry = new Registry();

  @Controller('metrics')
  class MetricsController {
    @Get()
    @Header('content-type', registry.contentType)
    metrics(): Promise<string> {
      return registry.metrics();
    }
  }

  const builder = Test.createTestingModule({
    imports: [
      ...(viaTypeOrm ? [TypeOrmModule.forRoot(dataSource)] : []),
      AuthModule.forRoot({
        secret: 'a secret of the tests: 32 bytes or more',
        issuer: 'https://issuer.test',
        audience: 'https://audience.test',
        migrations: 'run',
        ...(viaTypeOrm ? {} : { dataSource }),
        ...options,
      }),
      AuthPrometheusModule.forRoot({ registry }),
      TerminusModule.forRoot({ logger: false }),
    ],
    controllers: [MeController, HealthController, MetricsController],
    providers: [AuthHealthIndicator],
  });
  if (clock !== undefined) builder.overrideProvider(AuthClock).useValue(clock);
  const module = await builder.compile();
  const app =
    platform === 'fastify'
      ? module.createNestApplication(new FastifyAdapter(), { logger: false })
      : module.createNestApplication({ logger: false });
  await app.listen(0, '127.0.0.1');
  const client = new HttpClient(await app.getUrl());
  const sessions = app.get(SessionService);
  return {
    app,
    client,
    sessions,
    logout: app.get(LogoutService),
    login: loginBy(sessions),
    scrape: async () => new Scrape(String((await client.send('GET /metrics')).body)),
    close: () => app.close(),
  };
}
