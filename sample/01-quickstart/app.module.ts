import { type DynamicModule, Module } from '@nestjs/common';
import { AuthModule, type AuthOptions, secretKid } from 'nestjs-logout';
import { Accounts } from './accounts.js';
import { AccountsModule } from './accounts.module.js';
import { AdminKeysController } from './admin-keys.controller.js';
import { AdminUsersController } from './admin-users.controller.js';
import { GuessCounter } from './guess-counter.js';
import { HealthController } from './health.controller.js';
import { MeController } from './me.controller.js';
import { PageController } from './page.controller.js';
import type { Settings } from './settings.js';
import { SigningKeys } from './signing-keys.js';

@Module({})
export class AppModule {
  static with({ database, secrets, ...settings }: Settings): DynamicModule {
    const { issuer, audience, accessTokenTtl, maxStaleness, hint } = settings;
    const { refreshTokenTtl, sessionTtl, refreshGrace } = settings;
    const keys = secrets.map((secret) => ({
      alg: 'HS256' as const,
      secret,
      kid: secretKid(secret),
    }));
    const limit = new GuessCounter(settings.loginLimit);
    const accounts = AccountsModule.on(database);
    return {
      module: AppModule,
      imports: [
        accounts,
        AuthModule.forRootAsync({
          imports: [accounts],
          inject: [Accounts],
          useFactory: (accounts: Accounts): AuthOptions => ({
            keys,
            issuer,
            audience,
            accessTokenTtl,
            refreshTokenTtl,
            sessionTtl,
            // All visitors share the demo accounts. An application keeps the default, 100, or lowers it.
            maxSessions: false,
            refreshGrace,
            maxStaleness,
            hint,
            claims: (subject) => accounts.claimsOf(subject),
            // An application with a TypeOrmModule leaves this out: the library finds its database.
            dataSource: database,
            migrations: 'run',
          }),
          // The library's own routes: login, refresh, logout and the others.
          http: {
            verifyCredentials: Accounts,
            limit,
            mayIntrospect: (claims) => claims['role'] === 'admin',
          },
        }),
      ],
      controllers: [
        PageController,
        MeController,
        HealthController,
        AdminKeysController,
        AdminUsersController,
      ],
      providers: [
        { provide: GuessCounter, useValue: limit },
        { provide: SigningKeys, useValue: new SigningKeys(keys.map(({ kid }) => kid)) },
      ],
    };
  }
}
