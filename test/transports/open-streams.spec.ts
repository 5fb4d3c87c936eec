import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApolloDriver } from '@nestjs/apollo';
import {
  Controller,
  type INestApplication,
  type MessageEvent,
  Sse,
  UseGuards,
} from '@nestjs/common';
import { GraphQLModule, Query, Resolver, Subscription } from '@nestjs/graphql';
import { MercuriusDriver } from '@nestjs/mercurius';
import {
  type ClientOptions,
  type ClientProxy,
  ClientProxyFactory,
  GrpcMethod,
  MessagePattern,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import { WsAdapter } from '@nestjs/platform-ws';
import { WebSocketGateway } from '@nestjs/websockets';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  CurrentToken,
  JwtAuthGuard,
  LiveSockets,
  LiveTokens,
  type SocketIoSocket,
  type TokenClaims,
  type WsSocket,
} from 'nestjs-logout';
import { NEVER, type Observable, startWith } from 'rxjs';
import { sqlite, type TestDatabase } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { type Instance, type InstanceSettings, startInstance } from '../support/instance.js';
import { asked, expectLines } from './support/asked.js';
import { inData, inNatsHeaders, inRmqHeaders, PROTO } from './support/message-clients.js';
import {
  type Open,
  openCall,
  openEvents,
  openMessages,
  openSocketIo,
  openSubscription,
  openWs,
} from './support/open-clients.js';
import type { RowName } from './support/table.js';

/** Redis, NATS and RabbitMQ are shared with whatever else runs on this machine. */
const RUN = `${randomUUID()}:`;

@UseGuards(JwtAuthGuard)
@Controller()
class Ticks {
  constructor(private readonly live: LiveTokens) {}

  @Sse('ticks')
  events(@CurrentToken() claims: TokenClaims): Observable<MessageEvent> {
    return NEVER.pipe(startWith({ data: 'open' }), this.live.untilRevoked(claims));
  }

  @MessagePattern(`${RUN}ticks`)
  messages(@CurrentToken() claims: TokenClaims): Observable<string> {
    return NEVER.pipe(startWith('open'), this.live.untilRevoked(claims, { end: 'error' }));
  }

  @GrpcMethod('Streams', 'answers')
  calls(@CurrentToken() claims: TokenClaims): Observable<object> {
    return NEVER.pipe(startWith({ who: 'open' }), this.live.untilRevoked(claims, { end: 'error' }));
  }
}

@UseGuards(JwtAuthGuard)
@Resolver()
class TicksResolver {
  constructor(private readonly live: LiveTokens) {}

  @Query(() => String)
  none(): string {
    return 'none';
  }

  @Subscription(() => String, { resolve: (tick: string) => tick })
  ticks(@CurrentToken() claims: TokenClaims): AsyncIterableIterator<string> {
    return this.live.iterateUntilRevoked(claims, once());
  }
}

/** One value, and then none. */
async function* once(): AsyncGenerator<string> {
  yield 'open';
  await new Promise(() => undefined);
}

@WebSocketGateway()
class IoGateway {
  constructor(private readonly sockets: LiveSockets) {}

  async handleConnection(
    socket: SocketIoSocket & {
      handshake: { auth: { token?: unknown } };
      emit(event: string, data?: unknown): unknown;
    },
  ): Promise<void> {
    const claims = await this.sockets.accept(socket, socket.handshake.auth.token);
    if (claims !== undefined) socket.emit('accepted');
  }
}

@WebSocketGateway()
class WsGateway {
  constructor(private readonly sockets: LiveSockets) {}

  async handleConnection(
    socket: WsSocket & { send(text: string): void },
    { headers }: IncomingMessage,
  ): Promise<void> {
    const token = headers.authorization?.slice('Bearer '.length);
    if ((await this.sockets.accept(socket, token)) !== undefined) socket.send('accepted');
  }
}

/** One kind of connection, and how it ends. */
interface Kind {
  readonly name: RowName;
  readonly end: string;
  readonly open: (url: string, token: string) => Promise<Open>;
  /** Of the message handlers that it reaches. */
  readonly options?: MicroserviceOptions;
  /** `false` where the server that it needs does not run here. */
  readonly available?: boolean;
}

function describeKinds(title: string, settings: InstanceSettings, kinds: readonly Kind[]): void {
  describe(`open connections of ${title}`, () => {
    let database: TestDatabase;
    let instance: Instance;
    let url: string;
    const here = kinds.filter(({ available }) => available !== false);

    beforeAll(async () => {
      database = await sqlite.migrated();
      instance = await startInstance(database, {
        ...settings,
        controllers: [Ticks],
        beforeInit: (app: INestApplication) => {
          settings.beforeInit?.(app);
          for (const { options } of here) {
            if (options !== undefined) app.connectMicroservice(options, { inheritAppConfig: true });
          }
        },
      });
      await instance.app.startAllMicroservices();
      await instance.app.listen(0, '127.0.0.1');
      url = await instance.app.getUrl();
    });
    afterAll(async () => {
      await Promise.all(clients.splice(0).map((client) => client.close()));
      await instance?.close();
      await database?.drop();
    });

    for (const { name, open, end, available } of kinds) {
      asked(name);
      (available === false ? it.skip : it)(
        `${name}: ends with its token and says so, and no other does`,
        async () => {
          const [mine, others] = [await instance.login('alice'), await instance.login('alice')];
          const [ended, kept] = [await open(url, mine), await open(url, others)];
          expect([ended.end, kept.end]).toEqual([undefined, undefined]);
          await instance.logout.logout(mine);
          await eventually(() => ended.end !== undefined);
          expect(ended.end).toBe(end);
          expect(kept.end).toBeUndefined();
          kept.close();
          ended.close();
        },
      );
    }
  });
}

/** What the clients of the message handlers hold open. */
const clients: ClientProxy[] = [];

const messages = (
  name: RowName,
  options: object,
  dress: Parameters<typeof openMessages>[2],
  available = true,
): Kind => ({
  name,
  end: 'session_ended',
  options: options as MicroserviceOptions,
  available,
  open: async (_url, token) => {
    const client = ClientProxyFactory.create(options as ClientOptions);
    clients.push(client);
    return openMessages(client, `${RUN}ticks`, dress, token);
  },
});

const {
  TEST_NATS_URL: natsUrl = '',
  TEST_REDIS_URL: redisUrl = '',
  TEST_RABBITMQ_URL: rabbitUrl = '',
} = process.env;
const host = '127.0.0.1';
const redis = new URL(redisUrl || `redis://${host}:6379`);
const grpcUrl = `${host}:${await freePort()}`;

const GRAPHQL = { end: 'complete', open: openSubscription } as const;
const EVENTS = { end: 'complete', open: openEvents } as const;

const apollo = () =>
  GraphQLModule.forRoot({
    driver: ApolloDriver,
    autoSchemaFile: true,
    subscriptions: { 'graphql-ws': true },
  });

describeKinds(
  'Express, Apollo and socket.io, and of message handlers',
  { imports: [apollo()], providers: [TicksResolver, IoGateway] },
  [
    { name: 'HTTP, Express', ...EVENTS },
    { name: 'graphql-ws, Apollo, Express', ...GRAPHQL },
    { name: 'gateway, socket.io', end: 'session_ended', open: openSocketIo },
    messages(
      'TCP',
      { transport: Transport.TCP, options: { host, port: await freePort() } },
      inData,
    ),
    messages(
      'Redis',
      {
        transport: Transport.REDIS,
        options: { host: redis.hostname, port: Number(redis.port || 6379) },
      },
      inData,
      redisUrl !== '',
    ),
    messages(
      'NATS',
      { transport: Transport.NATS, options: { servers: [natsUrl] } },
      inNatsHeaders,
      natsUrl !== '',
    ),
    messages(
      'RabbitMQ',
      {
        transport: Transport.RMQ,
        options: {
          urls: [rabbitUrl],
          queue: RUN,
          queueOptions: { durable: false, autoDelete: true },
        },
      },
      inRmqHeaders,
      rabbitUrl !== '',
    ),
    {
      name: 'gRPC',
      end: 'session_ended',
      options: {
        transport: Transport.GRPC,
        options: { url: grpcUrl, package: 'transports', protoPath: PROTO },
      },
      open: (_url, token) => openCall(grpcUrl, token),
    },
  ],
);

describeKinds(
  'Fastify and Mercurius',
  {
    platform: 'fastify',
    imports: [
      GraphQLModule.forRoot({
        driver: MercuriusDriver,
        autoSchemaFile: true,
        subscription: {
          onConnect: ({ payload }: { payload?: object }) => ({ connectionParams: payload }),
        },
      }),
    ],
    providers: [TicksResolver],
  },
  [
    { name: 'HTTP, Fastify', ...EVENTS },
    { name: 'graphql-ws, Mercurius', ...GRAPHQL },
  ],
);

describeKinds(
  'Fastify and Apollo',
  { platform: 'fastify', imports: [apollo()], providers: [TicksResolver] },
  [{ name: 'graphql-ws, Apollo, Fastify', ...GRAPHQL }],
);

describeKinds(
  'Fastify and ws',
  {
    platform: 'fastify',
    providers: [WsGateway],
    beforeInit: (app: INestApplication) => void app.useWebSocketAdapter(new WsAdapter(app)),
  },
  [{ name: 'gateway, ws', end: '4401 session_ended', open: openWs }],
);

expectLines('transports/open-streams.spec.ts');
