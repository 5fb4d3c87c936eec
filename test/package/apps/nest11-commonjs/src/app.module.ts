import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule, JwtAuthGuard } from 'nestjs-logout';
import { AccountController } from './account.controller';
import { AppController } from './app.controller';
import { AppService } from './app.service';
import { UsersService } from './users.service';

@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      useFactory: () => ({ type: 'better-sqlite3', database: process.env.DATABASE ?? ':memory:' }),
    }),
    AuthModule.forRootAsync({
      useFactory: () => ({
        secret: 'a secret of the package test, 32 bytes or more',
        issuer: 'https://auth.example.com',
        audience: 'https://api.example.com',
        migrations: 'run',
      }),
      claims: UsersService,
    }),
  ],
  controllers: [AppController, AccountController],
  providers: [AppService, UsersService, { provide: APP_GUARD, useExisting: JwtAuthGuard }],
})
export class AppModule {}
