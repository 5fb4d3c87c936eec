import { describe } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { expectLines } from './support/asked.js';
import { handlersOf } from './support/handlers.js';
import { httpClient } from './support/http-client.js';
import { describeMatrix } from './support/matrix.js';

describe.each([
  ['express', 'useGlobalGuards', 'HTTP, Express'],
  ['fastify', 'APP_GUARD', 'HTTP, Fastify'],
] as const)('%s', (platform, placement, name) => {
  const Routes = handlersOf(placement, (name) => Get(name));
  Controller()(Routes);
  describeMatrix('routes', placement, (given) => ({ ...given, platform, controllers: [Routes] }), [
    { name, connect: httpClient, form: (body) => body },
  ]);
});

expectLines('transports/http.spec.ts');
