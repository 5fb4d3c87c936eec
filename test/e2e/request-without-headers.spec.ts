import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type INestApplication, Injectable } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule, AuthWiringError, JwtAuthGuard, OptionalAuth } from 'nestjs-logout';
import { issueTestToken } from 'nestjs-logout/testing';

/** A subclass as applications of GraphQL write it. */
@Injectable()
class GraphqlGuard extends JwtAuthGuard {
  override getRequest(context: ExecutionContextHost): never {
    return context.getArgByIndex<{ req: never }>(2).req;
  }
}

class Resolver {
  me(): void {}

  @OptionalAuth()
  hello(): void {}
}

let app: INestApplication;
let bearer: string;

beforeAll(async () => {
  const module = await Test.createTestingModule({
    imports: [
      TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:' }),
      AuthModule.forRoot({
        secret: 'a secret of the tests: 32 bytes or more',
        issuer: 'a',
        audience: 'b',
        migrations: 'run',
      }),
    ],
    providers: [GraphqlGuard],
  }).compile();
  app = await module.createNestApplication({ logger: false }).init();
  bearer = `Bearer ${await issueTestToken(app, 'alice')}`;
});
afterAll(() => app.close());

/** What a guard says to a resolver whose GraphQL context holds this as `req`. */
async function answerTo(
  req: unknown,
  guard: typeof JwtAuthGuard = JwtAuthGuard,
  handler: 'me' | 'hello' = 'me',
): Promise<unknown> {
  const context = new ExecutionContextHost(
    [undefined, {}, { req }],
    Resolver,
    Resolver.prototype[handler],
  );
  context.setType('graphql');
  return Promise.resolve()
    .then(() => app.get(guard).canActivate(context))
    .catch((error: unknown) => error);
}

describe('a request without headers is a wiring error, never a refused token', () => {
  const socket = (): object => ({ headers: { authorization: bearer } });
  const connection = (): object => ({
    connectionInitReceived: true,
    acknowledged: true,
    subscriptions: {},
    extra: { request: socket() },
    connectionParams: { authorization: bearer },
  });

  it('a subclass with its own getRequest() gets an error that names what context has to return for graphql-ws', async () => {
    for (const handler of ['me', 'hello'] as const) {
      const error = await answerTo(connection(), GraphqlGuard, handler);
      expect(error).toBeInstanceOf(AuthWiringError);
      expect(String(error)).toContain('req: extra?.request ?? req');
    }
  });

  it('a context without a request and without a connection gets an error that says so', async () => {
    const error = await answerTo(undefined);
    expect(error).toBeInstanceOf(AuthWiringError);
    expect(String(error)).toContain('context: ({ req }) => ({ req })');
  });

  it('a Fetch request gets an error that names it', async () => {
    const request = new Request('http://localhost/', { headers: { authorization: bearer } });
    const error = await answerTo(request);
    expect(error).toBeInstanceOf(AuthWiringError);
    expect(String(error)).toContain('a Fetch request');
  });

  it('each of the contexts in the error is accepted', async () => {
    expect(await answerTo(connection())).toBe(true);
    expect(await answerTo(socket())).toBe(true);
    expect(await answerTo({ headers: { authorization: bearer } }, GraphqlGuard)).toBe(true);
  });
});
