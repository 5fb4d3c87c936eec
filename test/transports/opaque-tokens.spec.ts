import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApolloDriver } from '@nestjs/apollo';
import { Controller, type INestApplication, type Type, UseGuards } from '@nestjs/common';
import { GraphQLModule, Mutation, Query, Resolver, Subscription } from '@nestjs/graphql';
import {
  type ClientOptions,
  GrpcMethod,
  MessagePattern,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { AccessTokenGuard, ApiTokenService } from 'nestjs-logout';
import { sqlite, type TestDatabase } from '../support/databases.js';
import { freePort } from '../support/free-port.js';
import { type Instance, startInstance } from '../support/instance.js';
import { asked, expectLines } from './support/asked.js';
import { graphqlClient, graphqlWsClient } from './support/graphql-clients.js';
import { type Handler, handlersOf } from './support/handlers.js';
import type { Client, Line } from './support/matrix.js';
import { grpcClient, inData, messageClient, PROTO } from './support/message-clients.js';
import { socketIoClient } from './support/socket-clients.js';

const text = (): StringConstructor => String;

/** The handlers of the matrix behind the guard of both kinds of tokens. */
function guarded(mark: (name: Handler) => MethodDecorator, say?: (who: string) => unknown): Type {
  const Handlers = handlersOf('APP_GUARD', mark, say);
  UseGuards(AccessTokenGuard)(Handlers);
  return Handlers;
}

const resolvers = [
  guarded((name) => Query(text, { name })),
  guarded((name) => Mutation(text, { name })),
  guarded(
    (name) => Subscription(text, { name, resolve: (who: string) => who }),
    async function* once(who) {
      yield who;
    },
  ),
];
for (const each of resolvers) Resolver()(each);
const Gateway = guarded((name) => SubscribeMessage(name));
WebSocketGateway()(Gateway);
const Messages = guarded((name) => MessagePattern(name));
const Calls = guarded(
  (name) => GrpcMethod('Matrix', name),
  (who) => ({ who }),
);
for (const each of [Messages, Calls]) Controller()(each);

const url = `127.0.0.1:${await freePort()}`;
const tcp = { transport: Transport.TCP, options: { host: '127.0.0.1', port: await freePort() } };
const grpc = {
  transport: Transport.GRPC,
  options: { url, package: 'transports', protoPath: PROTO },
};

const LINES: readonly Pick<Line, 'name' | 'connect'>[] = [
  { name: 'GraphQL, Apollo, Express', connect: graphqlClient },
  { name: 'graphql-ws, Apollo, Express', connect: graphqlWsClient },
  { name: 'gateway, socket.io', connect: socketIoClient },
  { name: 'TCP', connect: messageClient(tcp as ClientOptions, '', inData) },
  { name: 'gRPC', connect: grpcClient(url) },
];

describe('AccessTokenGuard', () => {
  let database: TestDatabase;
  let instance: Instance;

  beforeAll(async () => {
    database = await sqlite.migrated();
    instance = await startInstance(database, {
      options: { apiTokens: true },
      controllers: [Messages, Calls],
      providers: [Gateway, ...resolvers],
      imports: [
        GraphQLModule.forRoot({
          driver: ApolloDriver,
          autoSchemaFile: true,
          subscriptions: { 'graphql-ws': true },
        }),
      ],
      beforeInit: (app: INestApplication) => {
        for (const options of [tcp, grpc]) app.connectMicroservice(options as MicroserviceOptions);
      },
    });
    await instance.app.startAllMicroservices();
    await instance.app.listen(0, '127.0.0.1');
  });
  afterAll(async () => {
    await instance?.close();
    await database?.drop();
  });

  for (const { name, connect } of LINES) {
    asked(name);
    it(`${name}: AccessTokenGuard accepts an opaque token until it is revoked, and a JWT`, async () => {
      const tokens = instance.app.get(ApiTokenService);
      const { token, info } = await tokens.issue('alice', { name: 'backup' });
      const client: Client = await connect(instance);
      const ask = (handler: Handler, given: string): Promise<unknown> =>
        client.ask(handler, { authorization: `Bearer ${given}` });
      try {
        expect(await ask('guarded', token)).toEqual({ who: 'alice' });
        expect(await ask('optional', token)).toEqual({ who: 'alice' });
        expect(await ask('guarded', await instance.login('bob'))).toEqual({ who: 'bob' });
        await tokens.revoke(info.id, { subject: 'alice' });
        const refused = { refusal: expect.objectContaining({ code: 'token_revoked' }) };
        expect(await ask('guarded', token)).toEqual(refused);
        expect(await ask('optional', token)).toEqual(refused);
        expect(await client.ask('guarded', {})).toMatchObject({
          refusal: { code: 'token_missing' },
        });
      } finally {
        await client.close?.();
      }
    });
  }
});

expectLines('transports/opaque-tokens.spec.ts');
