import { type DynamicModule, Module } from '@nestjs/common';
import { AuthModule, secretKid } from 'nestjs-logout';
import { Accounts } from './accounts.js';
import { AdminController } from './admin.controller.js';
import { AuthController } from './auth.controller.js';
import { HealthController } from './health.controller.js';
import { MeController } from './me.controller.js';
import type { Settings } from './settings.js';
import { SigningKeys } from './signing-keys.js';

@Module({})
export class AppModule {
  static with(settings: Settings): DynamicModule {
    const { database, secrets, issuer, audience, accessTokenTtl, maxStaleness } = settings;
    const keys = secrets.map((secret) => ({
      alg: 'HS256' as const,
      secret,
      kid: secretKid(secret),
    }));
    return {
      module: AppModule,
      imports: [
        AuthModule.forRoot({
          keys,
          issuer,
          audience,
          accessTokenTtl,
          maxStaleness,
          // This application stores nothing else. One that has a TypeOrmModule leaves the option out, and
          // the log finds that database by itself.
          dataSource: database,
          migrations: 'run',
        }),
      ],
      controllers: [AuthController, MeController, HealthController, AdminController],
      providers: [
        Accounts,
        { provide: SigningKeys, useValue: new SigningKeys(keys.map(({ kid }) => kid)) },
      ],
    };
  }
}
