import type { INestApplication, LogLevel } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AuthException } from 'nestjs-logout';
import { AppModule } from './app.module.js';
import { type Next, readBody } from './read-body.js';
import { makePrivate, type Settings } from './settings.js';

/** The quick-start on Express or Fastify; both answer the same. */
export async function createApp(
  settings: Settings,
  logger: LogLevel[] = ['error', 'warn'],
): Promise<INestApplication> {
  makePrivate(settings.database);
  const module = AppModule.with(settings);
  const options = { logger, bodyParser: false } as const;
  const app =
    settings.platform === 'fastify'
      ? await createFastify(module, options)
      : await createExpress(module, options);
  app.use(noStore);
  if (settings.platform === 'express') app.use(refuseBadAddress);
  app.use(readBody);
  return app.enableShutdownHooks();
}

type Create = (
  module: ReturnType<typeof AppModule.with>,
  options: { logger: LogLevel[]; bodyParser: false },
) => Promise<INestApplication>;

const createExpress: Create = async (module, options) => {
  const adapter = new ExpressAdapter();
  const app = await NestFactory.create<NestExpressApplication>(module, adapter, options);
  app.disable('x-powered-by');
  return app;
};

const createFastify: Create = async (module, options) => {
  const adapter = new FastifyAdapter({
    // As on Express: /me and /ME/ are one address.
    routerOptions: { caseSensitive: false, ignoreTrailingSlash: true, maxParamLength: 16_384 },
    frameworkErrors: (_error: unknown, _request: unknown, { raw }: { raw: ServerResponse }) => {
      raw.statusCode = 400;
      raw.setHeader('Cache-Control', 'no-store');
      raw.setHeader('Content-Type', 'application/json; charset=utf-8');
      raw.end(JSON.stringify(badAddress().getResponse()));
    },
  });
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, options);
  const fastify = adapter.getInstance();
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (request, _payload, done) => {
    done(null, (request.raw as { body?: unknown }).body);
  });
  return app;
};

/** Fastify looks at the address first of all, and Express only where a route has a parameter. */
function refuseBadAddress(request: IncomingMessage, _: ServerResponse, next: Next): void {
  try {
    decodeURI(request.url?.split('?', 1)[0] ?? '');
    next();
  } catch {
    next(badAddress());
  }
}

function badAddress(): AuthException {
  return new AuthException(400, 'invalid_request', 'The address is not well-formed.');
}

/** No answer of this application may be cached, refusals included: each is for one caller. */
function noStore(_request: IncomingMessage, response: ServerResponse, next: Next): void {
  response.setHeader('Cache-Control', 'no-store');
  next();
}
