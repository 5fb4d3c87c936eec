import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule, JwtAuthGuard } from 'nestjs-logout';
import { AppController } from './app.controller.js';

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'better-sqlite3',
      database: process.env['DATABASE'] ?? 'app.db',
    }),
    AuthModule.forRoot({
      secret: 'a secret of the package test, 32 bytes or more',
      issuer: 'https://auth.example.com',
      audience: 'https://api.example.com',
      migrations: 'run',
    }),
  ],
  controllers: [AppController],
  providers: [{ provide: APP_GUARD, useExisting: JwtAuthGuard }],
})
export class AppModule {}
