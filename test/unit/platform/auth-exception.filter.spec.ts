import { afterEach, describe, expect, it } from '@jest/globals';
import { type ArgumentsHost, Controller, Get, Module } from '@nestjs/common';
import { APP_FILTER, ExternalContextCreator } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { isObservable, lastValueFrom, type Observable } from 'rxjs';
import {
  type AuthException,
  AuthUnauthorizedException,
  AuthUnavailableException,
} from '../../../lib/errors/auth.exception.js';
import { AuthExceptionFilter } from '../../../lib/platform/auth-exception.filter.js';
import { TestApp } from '../../support/authentication-parts.js';

const ended = new AuthUnauthorizedException('session_ended', 'You were logged out.', {
  reason: 'logout',
});
const away = new AuthUnavailableException('storage_unavailable', 'Try again.', { retryAfter: 3 });

const ENDED_BODY = {
  statusCode: 401,
  error: 'Unauthorized',
  message: 'You were logged out.',
  code: 'session_ended',
  reason: 'logout',
};

/** A service whose logout failed, called by a controller and by a resolver. */
@Controller('logout')
class LogoutController {
  @Get()
  logout(): never {
    throw away;
  }
}

@Module({
  controllers: [LogoutController],
  providers: [{ provide: APP_FILTER, useClass: AuthExceptionFilter }],
})
class AppModule {}

/** Without an HTTP adapter: code that reaches for one here answers the wrong protocol. */
function caught(exception: AuthException, type: string, ...args: unknown[]): unknown {
  const host = new ExecutionContextHost(args);
  host.setType(type);
  return new AuthExceptionFilter().catch(exception, host as ArgumentsHost);
}

describe('AuthExceptionFilter', () => {
  let app: TestApp | undefined;

  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  describe.each(['express', 'fastify'] as const)('behind HTTP (%s)', (platform) => {
    it('the answer has the headers of the exception beside its body', async () => {
      app = await TestApp.start(platform, { imports: [AppModule] });
      const answer = await app.get('/logout');
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('3');
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(await answer.json()).toMatchObject({ statusCode: 503, code: 'storage_unavailable' });
    });
  });

  it('behind a message handler the filter returns a stream that fails with the body', async () => {
    const stream = caught(ended, 'rpc', { token: 'x' }, {});
    expect(isObservable(stream)).toBe(true);
    const failure = await lastValueFrom(stream as Observable<unknown>).catch(
      (body: unknown) => body,
    );
    expect(failure).toEqual(ENDED_BODY);
  });

  it('behind a gateway the filter sends the body in the event `exception`', () => {
    const told: unknown[] = [];
    const client = { emit: (...message: unknown[]) => told.push(message) };
    expect(() => caught(ended, 'ws', client, { token: 'x' })).not.toThrow();
    expect(told).toEqual([['exception', { status: 'error', ...ENDED_BODY }]]);
  });

  it('behind a ws gateway the filter sends a frame, because `emit` of its sockets reaches only the server', () => {
    const told: string[] = [];
    const client = { readyState: 1, send: (text: string) => told.push(text), emit: () => false };
    caught(ended, 'ws', client, {});
    const frame = { event: 'exception', data: { status: 'error', ...ENDED_BODY } };
    expect(told.map((text) => JSON.parse(text))).toEqual([frame]);
  });

  it('behind a gateway whose client cannot be reached the filter does not break the process', () => {
    expect(() => caught(ended, 'ws', {}, {})).not.toThrow();
  });

  it.each(['graphql', 'necord'])('in a %s context the filter rethrows the exception', (type) => {
    // What is thrown keeps its class and its code: the other side has its own way to say it.
    expect(() => caught(ended, type, {}, {}, {}, {})).toThrow(ended);
  });

  it('the filter sets the headers of a resolver’s exception on a GraphQL answer', () => {
    const headers: unknown[] = [];
    const res = { header: (...pair: unknown[]) => headers.push(pair) };
    expect(() => caught(away, 'graphql', {}, {}, { res }, {})).toThrow(away);
    expect(headers).toContainEqual(['Retry-After', '3']);
  });

  it('as a global filter it leaves a resolver’s exception to GraphQL as it was thrown', async () => {
    app = await TestApp.start('express', { imports: [AppModule] });
    const controller = app.app.get(LogoutController);
    const resolver = app.app
      .get(ExternalContextCreator)
      .create(
        controller,
        () => controller.logout(),
        'logout',
        undefined,
        undefined,
        undefined,
        undefined,
        undefined,
        'graphql',
      );
    const thrown = await resolver({}, {}, {}, {}).catch((error: unknown) => error);
    expect(thrown).toBe(away);
  });
});
