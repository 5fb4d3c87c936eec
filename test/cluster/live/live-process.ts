import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import { AuthModule } from 'nestjs-logout';
import { LIVE_PARTS, serveLive } from './live-server.js';

/** A separate process with open connections; it sends its address. */
const database = JSON.parse(process.argv[2] ?? '') as TypeOrmModuleOptions;

@Module({
  imports: [
    TypeOrmModule.forRoot(database),
    AuthModule.forRoot({
      secret: 'a secret of the tests: 32 bytes or more',
      issuer: 'https://issuer.test',
      audience: 'https://audience.test',
    }),
  ],
  ...LIVE_PARTS,
})
class LiveModule {}

const app = await NestFactory.create(LiveModule, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
process.send?.((await serveLive(app)).urls);
