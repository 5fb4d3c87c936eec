import {
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  Module,
  UseGuards,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  AllowExpired,
  AuthClock,
  type AuthErrorCode,
  AuthException,
  type AuthKeyOptions,
  AuthModule,
  type AuthOptions,
  type AuthOptionsFactory,
  authMigrations,
  CurrentToken,
  CurrentUser,
  Freshness,
  InvalidAuthOptionsError,
  JwtAuthGuard,
  JwtStrategy,
  KeyService,
  type LogoutReceipt,
  LogoutService,
  OptionalAuth,
  Public,
  RevocationGuard,
  RevocationService,
  type RevocationStatus,
  SessionService,
  secretKid,
  type TokenClaims,
  TokenService,
  type Verdict,
} from 'nestjs-logout';
import { issueTestToken, overrideAuth, TestClock } from 'nestjs-logout/testing';
import { DataSource, type EntityManager } from 'typeorm';

/** A payload as applications describe it: an interface, and not all that the token says. */
interface Payload {
  sub: string;
  jti: string;
}

interface User {
  id: string;
}

@Injectable()
class Config implements AuthOptionsFactory {
  createAuthOptions(): AuthOptions {
    const keys: AuthKeyOptions[] = [{ kid: 'a', alg: 'ES256', privateKey: 'PEM' }];
    return { keys, issuer: 'shop', audience: 'api', dataSource: { type: 'postgres', url: 'x' } };
  }
}

@Injectable()
export class PartnerGuard extends RevocationGuard {
  protected override getClaims(context: ExecutionContext): Payload {
    return context.switchToHttp().getRequest<{ user: Payload }>().user;
  }
}

@Injectable()
export class AdminGuard extends JwtAuthGuard {
  override handleRequest<TUser>(error: unknown, user: TUser): TUser {
    if (error) throw error;
    return user;
  }
}

@UseGuards(JwtAuthGuard, AdminGuard)
@Controller()
export class OrdersController {
  constructor(
    private readonly sessions: SessionService,
    private readonly logoutService: LogoutService,
    private readonly revocation: RevocationService,
    private readonly tokens: TokenService,
    private readonly keys: KeyService,
  ) {}

  @Public()
  @Get('login')
  async login(): Promise<string | undefined> {
    const login = await this.sessions.login(async () => ({ subject: 1n, claims: { name: 'x' } }));
    const other = await this.sessions.login(
      { subject: 'x' },
      { since: await this.sessions.position() },
    );
    return login?.accessToken ?? other.sessionId;
  }

  @AllowExpired()
  @Get('logout')
  async logout(@CurrentToken() token: TokenClaims): Promise<number> {
    const receipt: LogoutReceipt = await this.logoutService.logout(token, { wait: 'everywhere' });
    await receipt.applied();
    return receipt.effectiveEverywhereWithin;
  }

  @OptionalAuth()
  @Freshness('strict')
  @Get('me')
  me(@CurrentUser() user: User | undefined, @CurrentUser('id') id: string | undefined): unknown {
    return user ?? id;
  }

  async validate(payload: Payload): Promise<User> {
    await this.revocation.assertActive(payload);
    await this.logoutService.logout(payload);
    return { id: payload.sub };
  }

  async inTransaction(manager: EntityManager, id: number): Promise<void> {
    await this.logoutService.logoutAll(id, { manager, reason: 'password_changed' });
  }

  async socket(text: string): Promise<Verdict> {
    const claims = await this.tokens.verify(text, { freshness: 1 });
    await this.keys.reload();
    return this.revocation.decide(claims, { freshness: 'strict' });
  }

  status(): RevocationStatus {
    return this.revocation.status();
  }
}

@Module({
  imports: [
    AuthModule.forRoot({
      secret: 'secret',
      issuer: 'shop',
      audience: 'api',
      isGlobal: true,
      validate: (claims): User => ({ id: claims.sub }),
    }),
    AuthModule.forRootAsync({ useClass: Config }),
    AuthModule.forRootAsync({ inject: [Config], useFactory: (c: Config) => c.createAuthOptions() }),
  ],
})
export class TypesModule {}

export const own = new DataSource({ type: 'postgres', migrations: [...authMigrations] });
export const strategy: typeof JwtStrategy = JwtStrategy;
export const kid: string = secretKid('secret');

export async function inATest(): Promise<string> {
  const builder = Test.createTestingModule({ imports: [TypesModule] });
  builder.overrideProvider(AuthClock).useValue(new TestClock());
  const module = await overrideAuth(builder, { sub: 'alice' }).compile();
  return issueTestToken(module.createNestApplication(), 'alice');
}

export function codeOf(error: unknown): AuthErrorCode | string | undefined {
  if (error instanceof InvalidAuthOptionsError) return error.problems[0]?.option;
  return error instanceof AuthException ? error.code : undefined;
}
