import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  type INestApplication,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import {
  type ClientOptions,
  GrpcMethod,
  GrpcStreamCall,
  GrpcStreamMethod,
  MessagePattern,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import type { ClientDuplexStream, ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import {
  AuthExceptionFilter,
  AuthUnauthorizedException,
  CurrentToken,
  CurrentUser,
  JwtAuthGuard,
  RevocationGuard,
  type TokenClaims,
  TokenService,
} from 'nestjs-logout';
import { of } from 'rxjs';
import { sqlite, type TestDatabase } from '../support/databases.js';
import { freePort } from '../support/free-port.js';
import { type Instance, startInstance } from '../support/instance.js';
import { AuthMeter, requestOf } from '../support/internals.js';
import type { Client } from './support/matrix.js';
import {
  grpcMetadata,
  grpcRefusal,
  grpcService,
  inData,
  messageClient,
  PROTO,
} from './support/message-clients.js';

const grpcUrl = `127.0.0.1:${await freePort()}`;
const tcp = { transport: Transport.TCP, options: { host: '127.0.0.1', port: await freePort() } };
const grpc = {
  transport: Transport.GRPC,
  options: { url: grpcUrl, package: 'transports', protoPath: PROTO },
};

/** In place of another authentication of messages: the claims arrive verified in the data. */
class Theirs implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const message = context.switchToRpc().getContext<{ claims?: unknown }>();
    message.claims = context.switchToRpc().getData<{ claims: unknown }>().claims;
    return true;
  }
}

class TheirRevocation extends RevocationGuard {
  protected override getClaims(context: ExecutionContext): TokenClaims {
    return context.switchToRpc().getContext<{ claims: TokenClaims }>().claims;
  }
}

class Unreadable extends RevocationGuard {
  protected override getClaims(): never {
    throw new AuthUnauthorizedException('token_invalid', 'The message has no claims.');
  }
}

@Controller()
class Messages {
  constructor(private readonly tokens: TokenService) {}

  @MessagePattern('guarded')
  byHand(data: { authorization?: string }): Promise<string> {
    return this.tokens.verify(data.authorization as string).then(({ sub }) => String(sub));
  }

  @MessagePattern('strict')
  @UseFilters(AuthExceptionFilter)
  filtered(data: { authorization?: string }): Promise<string> {
    return this.byHand(data);
  }

  @MessagePattern('twice')
  @UseGuards(Theirs, TheirRevocation)
  theirs(@CurrentToken() token: TokenClaims): string {
    return String(token.sub);
  }

  @MessagePattern('open')
  @UseGuards(Unreadable)
  unreadable(): void {}
}

@UseGuards(JwtAuthGuard)
@Controller()
class Streams {
  @GrpcMethod('Streams', 'answers')
  answers(_: object, @CurrentUser('sub') who?: string): unknown {
    return of({ who });
  }

  @GrpcStreamMethod('Streams', 'questions')
  questions(@CurrentUser('sub') who?: string): unknown {
    return of({ who });
  }

  @GrpcStreamCall('Streams', 'call')
  call(call: { write(answer: object): void; end(): void }): void {
    call.write({ who: 'called' });
    call.end();
  }
}

let database: TestDatabase;
let instance: Instance;
let client: Client;

// A global guard, and an application that does not hand it on.
beforeAll(async () => {
  database = await sqlite.migrated();
  instance = await startInstance(database, {
    controllers: [Messages, Streams],
    providers: [{ provide: APP_GUARD, useExisting: JwtAuthGuard }],
    beforeInit: (app: INestApplication) => {
      app.connectMicroservice(tcp as MicroserviceOptions);
      app.connectMicroservice(grpc as MicroserviceOptions);
    },
  });
  await instance.app.startAllMicroservices();
  client = await messageClient(tcp as ClientOptions, '', inData)();
});
afterAll(async () => {
  await client?.close?.();
  await instance?.close();
  await database?.drop();
});

describe('a hybrid application without inheritAppConfig', () => {
  it('a hybrid application without inheritAppConfig is not guarded by a global guard, as usual in Nest', async () => {
    expect(await client.ask('guarded', { authorization: await instance.login('alice') })).toEqual({
      who: 'alice',
    });
  });

  it('a hybrid application forwards refusals of a service with AuthExceptionFilter (cases/15)', async () => {
    expect(await client.ask('strict', { authorization: 'x' })).toMatchObject({
      refusal: { code: 'token_malformed', status: 401 },
    });
  });

  it('a hybrid application is guarded behind another authentication too', async () => {
    const token = await instance.login('alice');
    const claims = JSON.parse(String(Buffer.from(token.split('.')[1] ?? '', 'base64url')));
    const theirs = await messageClient(tcp as ClientOptions, '', () => ({ claims }))();
    expect(await theirs.ask('twice', {})).toEqual({ who: 'alice' });
    await instance.logout.logout(token);
    expect(await theirs.ask('twice', {})).toMatchObject({ refusal: { code: 'session_ended' } });
    await theirs.close?.();
  });
});

describe('what getClaims() of a RevocationGuard refuses', () => {
  it('arrives in the form of the transport, and is counted once', async () => {
    const { refusals } = instance.app.get(AuthMeter);
    const { token_invalid: before = 0 } = refusals;
    expect(await client.ask('open', {})).toMatchObject({
      refusal: { code: 'token_invalid', status: 401 },
    });
    expect(refusals.token_invalid).toBe(before + 1);
  });
});

describe('streams of gRPC', () => {
  const answerOf = (stream: ClientReadableStream<unknown>): Promise<unknown> =>
    new Promise((resolve) => {
      stream.on('data', ({ who }: { who: string }) => resolve(who));
      stream.on('error', (error: ServiceError) => resolve(grpcRefusal(error).code));
    });

  it.each(['answers', 'questions', 'call'] as const)(
    '%s: gRPC streams are guarded',
    async (method) => {
      const service = grpcService(grpcUrl, 'Streams');
      const ask = (authorization?: string): Promise<unknown> => {
        const metadata = grpcMetadata({ authorization });
        if (method === 'answers') return answerOf(service[method]!({}, metadata));
        const stream = service[method]!(metadata) as ClientDuplexStream<object, unknown>;
        const answer = answerOf(stream);
        stream.end({});
        return answer;
      };
      const token = await instance.login('alice');
      const seen = method === 'call' ? 'called' : 'alice';
      expect(await ask(`Bearer ${token}`)).toBe(seen);
      expect(await ask()).toBe('token_missing');
      await instance.logout.logout(token);
      expect(await ask(`Bearer ${token}`)).toBe('session_ended');
      service.close();
    },
  );
});

describe('a context without any token is a wiring error', () => {
  const readIn = (type: string, ...args: unknown[]) => {
    const context = new ExecutionContextHost(args, Messages, Messages.prototype.byHand);
    context.setType(type);
    return () => requestOf(context as ExecutionContext).headers;
  };

  it('a ws socket without a known handshake is a wiring error', () => {
    expect(readIn('ws', {}, 'data', 'pattern')).toThrow('rememberHandshake(client, request)');
  });

  it('a message without a context and without an object is a wiring error', () => {
    expect(readIn('rpc', 'data')).toThrow('handler(data, context)');
    expect(readIn('rpc', { authorization: 'Bearer x' })()).toEqual({ authorization: 'Bearer x' });
  });

  it('another kind of context is a wiring error', () => {
    expect(readIn('necord', {})).toThrow('TokenService.verify(token)');
  });
});
