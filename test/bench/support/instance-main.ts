import {
  Controller,
  Get,
  HttpCode,
  Logger,
  type MessageEvent,
  Post,
  Sse,
  UseGuards,
} from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { NEVER, type Observable, startWith } from 'rxjs';
import { AuthModule } from '../../../lib/auth.module.js';
import { CurrentToken } from '../../../lib/authentication/decorators.js';
import { JwtAuthGuard } from '../../../lib/authentication/jwt-auth.guard.js';
import { LiveTokens } from '../../../lib/live/live-tokens.service.js';
import { LogoutService } from '../../../lib/logout/logout.service.js';
import type { TokenClaims } from '../../../lib/options/token-claims.js';
import { RevocationService } from '../../../lib/revocation/revocation.service.js';
import { Freshness } from '../../../lib/revocation/staleness/freshness.decorators.js';
import { SHARED_SECRET } from '../../support/mint-token.js';
import { hintOf, untilHeard } from './bench-hints.js';
import { type InstanceSettings, TIGHT } from './instance-process.js';

@Controller()
class BenchController {
  constructor(
    private readonly logouts: LogoutService,
    private readonly live: LiveTokens,
  ) {}

  @Get('me')
  @UseGuards(JwtAuthGuard)
  me(): string {
    return 'ok';
  }

  /** A route whose lease lapses while no poll is known to fail yet. */
  @Get('tight')
  @Freshness(TIGHT)
  @UseGuards(JwtAuthGuard)
  tight(): string {
    return 'ok';
  }

  /** Open until its token ends. */
  @Sse('open')
  @UseGuards(JwtAuthGuard)
  open(@CurrentToken() token: TokenClaims): Observable<MessageEvent> {
    return NEVER.pipe(startWith({ data: 'open' }), this.live.untilRevoked(token));
  }

  @Post('logout')
  @HttpCode(204)
  @UseGuards(JwtAuthGuard)
  async logout(@CurrentToken() token: TokenClaims): Promise<void> {
    await this.logouts.logout(token);
  }
}

const settings = JSON.parse(process.env['BENCH_INSTANCE'] ?? '{}') as InstanceSettings;
const issuer = 'nestjs-logout-quickstart';
Logger.overrideLogger(['error']);
const module = await Test.createTestingModule({
  imports: [
    AuthModule.forRoot({
      secret: SHARED_SECRET,
      issuer,
      audience: issuer,
      migrations: 'run',
      maxStaleness: settings.maxStaleness,
      dataSource: { type: 'postgres', url: settings.url },
      hint: hintOf(settings.hint),
      http: { verifyCredentials: ({ username }) => ({ subject: username }) },
    }),
  ],
  controllers: [BenchController],
}).compile();
const app = module.createNestApplication(new FastifyAdapter(), { logger: ['error'] });
await app.listen(0, '127.0.0.1');
await untilHeard(app.get(RevocationService));
// The process that started it is gone, or done with it.
process.once('disconnect', () => void app.close().finally(() => process.exit(0)));
process.send?.({ port: (app.getHttpServer().address() as AddressInfo).port });
