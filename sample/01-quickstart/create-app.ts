import type { INestApplication, LogLevel } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';
import type { Settings } from './settings.js';

/** No request of this application needs more; larger bodies are refused before they are parsed. */
const BODY_LIMIT = 8_192;

/** The quick-start on Express or Fastify; both answer the same. */
export async function createApp(
  settings: Settings,
  logger: LogLevel[] = ['error', 'warn'],
): Promise<INestApplication> {
  const module = AppModule.with(settings);
  if (settings.platform === 'fastify') {
    const app = await NestFactory.create<NestFastifyApplication>(
      module,
      new FastifyAdapter({ bodyLimit: BODY_LIMIT }),
      { logger },
    );
    return app.enableShutdownHooks();
  }
  const app = await NestFactory.create<NestExpressApplication>(module, new ExpressAdapter(), {
    logger,
    bodyParser: false,
  });
  app.useBodyParser('json', { limit: BODY_LIMIT });
  app.disable('x-powered-by');
  return app.enableShutdownHooks();
}
