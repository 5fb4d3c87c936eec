import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readSettings, SettingsError } from '../01-quickstart/settings.js';
import { AppModule } from './app.module.js';
import { MESSAGES_OPTIONS } from './messages.js';

const NAME = 'nestjs-logout live';

try {
  const settings = readSettings({
    PORT: '3300',
    DATABASE_URL: 'sqlite::memory:',
    AUTH_SECRET: randomBytes(48).toString('base64url'),
    ...process.env,
  });
  const app = await NestFactory.create(AppModule.with(settings), {
    logger: ['error', 'warn'],
    // Ctrl-C does not wait for the open streams.
    forceCloseConnections: true,
  });
  // Forwarded to the message handlers: the filter of AuthModule, which sends refusals to the
  // caller.
  app.connectMicroservice<MicroserviceOptions>(MESSAGES_OPTIONS, { inheritAppConfig: true });
  app.enableShutdownHooks();
  await app.startAllMicroservices();
  await app.listen(settings.port, settings.host);
  const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
  console.log(`
${NAME}: http://${settings.host}:${port} (${settings.database.type})

Open it in a browser, log in, and watch the four connections when you press "Log out". Ctrl-C ends it.
`);
} catch (error) {
  console.error(`${NAME}: ${sentenceOf(error)}`);
  process.exit(1);
}

function sentenceOf(error: unknown): string | undefined {
  if (error instanceof SettingsError) return error.message;
  if (!(error instanceof Error)) return String(error);
  const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  return isTaken ? 'PORT or MESSAGES_PORT is taken; set another one.' : error.stack;
}
