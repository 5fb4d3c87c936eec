import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  type DynamicModule,
  Get,
  type INestApplication,
  Inject,
  Injectable,
  Module,
  Scope,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  AuthModule,
  type AuthOptions,
  AuthWiringError,
  type Credentials,
  CurrentUser,
  JwtAuthGuard,
  LogoutService,
  SessionService,
  type TokenClaims,
} from 'nestjs-logout';
import { fetchOnce } from '../support/fetch-once.js';

const OPTIONS = {
  secret: 'a secret of the tests: 32 bytes or more',
  issuer: 'https://auth.example.com',
  audience: 'https://api.example.com',
  migrations: 'run',
} as const;

/** Returns claims, shapes users, checks passwords, and injects what would close a cycle. */
@Injectable()
class UsersService {
  constructor(
    private readonly logoutService: LogoutService,
    private readonly sessions: SessionService,
  ) {}

  claims(subject: string): object {
    return { role: `${subject} by ${this.constructor.name}` };
  }

  validate(claims: TokenClaims): object {
    return { id: claims.sub, role: claims['role'], mayLogOut: this.logoutService !== undefined };
  }

  verifyCredentials({ username }: Credentials): { subject: string } | null {
    return this.sessions === undefined ? null : { subject: username };
  }
}

@Controller()
class MeController {
  @UseGuards(JwtAuthGuard)
  @Get('me')
  me(@CurrentUser() user: object): object {
    return user;
  }
}

let app: INestApplication | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function start(auth: DynamicModule, providers: Type[] = [UsersService]): Promise<string> {
  @Module({ providers, exports: providers, controllers: [MeController] })
  class UsersModule {}
  const database = { type: 'better-sqlite3', database: ':memory:' } as const;
  const module = await Test.createTestingModule({
    imports: [TypeOrmModule.forRoot(database), UsersModule, auth],
  }).compile();
  app = module.createNestApplication({ logger: false });
  await app.listen(0, '127.0.0.1');
  return app.getUrl();
}

const NAMED = {
  claims: UsersService,
  validate: UsersService,
  http: { verifyCredentials: UsersService },
} as never;

describe('claims, validate and verifyCredentials may be a class that injects LogoutService', () => {
  it.each<[string, () => DynamicModule]>([
    ['in forRoot', () => AuthModule.forRoot({ ...OPTIONS, ...(NAMED as object) })],
    [
      'beside useFactory',
      () => AuthModule.forRootAsync({ useFactory: () => OPTIONS, ...(NAMED as object) }),
    ],
    [
      'returned by useFactory',
      () => {
        const { http, ...calls } = NAMED as { http: never };
        return AuthModule.forRootAsync({ useFactory: () => ({ ...OPTIONS, ...calls }), http });
      },
    ],
  ])('the class is accepted: %s', async (_where, auth) => {
    const url = await start(auth());
    const login = await fetchOnce(`${url}/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'alice', password: 'x' }),
    });
    expect(login.status).toBe(200);
    const tokens = (await login.json()) as { access_token: string; refresh_token: string };
    const refreshed = await fetchOnce(`${url}/auth/refresh`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ refresh_token: tokens.refresh_token }),
    });
    const renewed = (await refreshed.json()) as { access_token: string };
    for (const token of [tokens.access_token, renewed.access_token]) {
      const me = await fetchOnce(`${url}/me`, { headers: { authorization: `Bearer ${token}` } });
      const user = { id: 'alice', role: 'alice by UsersService', mayLogOut: true };
      expect([me.status, await me.json()]).toEqual([200, user]);
    }
  });

  it('two applications from one module definition each call their own instance', async () => {
    const made: Verifier[] = [];
    @Injectable()
    class Verifier {
      constructor() {
        made.push(this);
      }

      verifyCredentials(): { subject: string } {
        return { subject: `of instance ${made.indexOf(this)}` };
      }
    }
    const auth = AuthModule.forRoot({ ...OPTIONS, http: { verifyCredentials: Verifier } });
    const subjects: string[] = [];
    for (let round = 0; round < 2; round++) {
      const url = await start(auth, [Verifier]);
      const login = await fetchOnce(`${url}/auth/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ username: 'alice', password: 'x' }),
      });
      const { access_token: token } = (await login.json()) as { access_token: string };
      const me = await fetchOnce(`${url}/me`, { headers: { authorization: `Bearer ${token}` } });
      subjects.push(((await me.json()) as { sub: string }).sub);
      await app?.close();
    }
    expect(subjects).toEqual(['of instance 0', 'of instance 1']);
  });

  it.each(['claims', 'validate'] as const)(
    'a class named by %s that is not a provider stops the boot',
    async (option) => {
      const auth = AuthModule.forRoot({ ...OPTIONS, [option]: UsersService } as AuthOptions);
      await expect(start(auth, [])).rejects.toThrow(AuthWiringError);
      await expect(start(auth, [])).rejects.toThrow('Add UsersService to the providers');
    },
  );

  it('a class without the method stops the boot', async () => {
    class Empty {}
    const auth = AuthModule.forRoot({ ...OPTIONS, claims: Empty } as never);
    await expect(start(auth, [Empty])).rejects.toThrow(
      'claims names the class Empty, which has no method claims()',
    );
  });

  it('a class beside useFactory and one returned by it stop the boot', async () => {
    const claims = (): object => ({});
    const auth = AuthModule.forRootAsync({
      useFactory: () => ({ ...OPTIONS, claims }) as AuthOptions,
      claims: UsersService,
    } as never);
    await expect(start(auth)).rejects.toThrow('Use one of them');
  });
});

describe('what useFactory may not depend on', () => {
  const byFactory = (inject: unknown[]): DynamicModule =>
    AuthModule.forRootAsync({ inject: inject as [], useFactory: () => OPTIONS });

  @Injectable()
  class Between {
    constructor(readonly users: UsersService) {}
  }

  it.each<[string, Type[], string]>([
    ['directly', [UsersService], 'options → UsersService → LogoutService → '],
    ['through another', [Between, UsersService], 'options → Between → UsersService → '],
  ])('a cycle %s stops the boot, and the error names the fix', async (_how, providers, path) => {
    const boot = start(global(byFactory([providers[0]]), providers), []);
    const error: unknown = await boot.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AuthWiringError);
    expect(String(error)).toContain(path);
    expect(String(error)).toContain('beside useFactory');
  });

  @Injectable({ scope: Scope.REQUEST })
  class Tenant {
    constructor(@Inject(REQUEST) readonly request: object) {}
  }

  @Injectable({ scope: Scope.REQUEST, durable: true })
  class DurableTenant {}

  @Injectable()
  class TenantSettings {
    constructor(readonly tenant: Tenant) {}
  }

  it.each<[string, Type[], string]>([
    ['request-scoped', [Tenant], 'options → Tenant.'],
    ['durable', [DurableTenant], 'options → DurableTenant.'],
    ['that needs a request-scoped one', [TenantSettings, Tenant], 'options → TenantSettings → '],
  ])('a provider %s stops the boot, and the error names it', async (_kind, providers, path) => {
    const boot = start(global(byFactory([providers[0]]), providers), []);
    const error: unknown = await boot.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AuthWiringError);
    expect(String(error)).toContain(path);
    expect(String(error)).toContain('Leave ');
  });

  it('a request-scoped dependency stops the boot', async () => {
    await expect(start(byFactory([REQUEST]))).rejects.toThrow('wait for REQUEST');
  });

  it('singleton providers, and optional ones that are missing, are accepted', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient {}

    @Injectable()
    class Config {
      constructor(readonly transient: Transient) {}
    }
    const missing = { token: 'missing', optional: true };
    const auth = global(byFactory([Config, missing]), [Config, Transient]);
    expect(await start(auth)).toMatch(/^http/);
  });
});

/** The module with a global one of the application beside it. */
function global(auth: DynamicModule, providers: Type[]): DynamicModule {
  class ApplicationModule {}
  return {
    module: ApplicationModule,
    global: true,
    imports: [auth],
    providers,
    exports: providers,
  };
}
