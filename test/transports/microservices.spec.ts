import { Controller, type INestApplication } from '@nestjs/common';
import {
  type ClientOptions,
  GrpcMethod,
  MessagePattern,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import { randomUUID } from 'node:crypto';
import { freePort } from '../support/free-port.js';
import type { InstanceSettings } from '../support/instance.js';
import { expectLines } from './support/asked.js';
import { handlersOf, type Placement } from './support/handlers.js';
import { describeMatrix, type Line } from './support/matrix.js';
import type { RowName } from './support/table.js';
import {
  grpcClient,
  inData,
  inNatsHeaders,
  inRmqHeaders,
  messageClient,
  PROTO,
} from './support/message-clients.js';

/** Redis and NATS are shared with whatever else runs on this machine. */
const RUN = `${randomUUID()}:`;

const {
  TEST_NATS_URL: natsUrl = '',
  TEST_REDIS_URL: redisUrl = '',
  TEST_RABBITMQ_URL: rabbitUrl = '',
} = process.env;

/** One way to reach the message handlers, and its line of the matrix. */
interface Way {
  readonly options: MicroserviceOptions;
  readonly line: Line;
}

const GRPC_STATUS: Readonly<Record<number, number>> = { 400: 3, 401: 16, 503: 14 };

async function ways(): Promise<readonly Way[]> {
  const url = `127.0.0.1:${await freePort()}`;
  const tcp = { transport: Transport.TCP, options: { host: '127.0.0.1', port: await freePort() } };
  return [
    {
      options: tcp as MicroserviceOptions,
      line: messages('TCP', messageClient(tcp as ClientOptions, RUN, inData)),
    },
    {
      options: {
        transport: Transport.GRPC,
        options: { url, package: 'transports', protoPath: PROTO },
      },
      line: {
        name: 'gRPC',
        connect: grpcClient(url),
        status: (http) => GRPC_STATUS[http],
        form: (body) => {
          const { message: details, code, reason, max_age } = body as Record<string, unknown>;
          const maxAge = max_age === undefined ? undefined : String(max_age);
          return { status: 16, details, code, reason, maxAge };
        },
      },
    },
  ];
}

function brokers(): readonly Way[] {
  const { hostname: host, port } = new URL(redisUrl || 'redis://127.0.0.1:6379');
  const redis = { transport: Transport.REDIS, options: { host, port: Number(port || 6379) } };
  const nats = { transport: Transport.NATS, options: { servers: [natsUrl] } };
  const rabbit = {
    transport: Transport.RMQ,
    options: { urls: [rabbitUrl], queue: RUN, queueOptions: { durable: false, autoDelete: true } },
  };
  const of = (name: RowName, url: string, options: object, dress: typeof inData): Way => ({
    options: options as MicroserviceOptions,
    line: messages(name, messageClient(options as ClientOptions, RUN, dress), url !== ''),
  });
  return [
    of('Redis', redisUrl, redis, inData),
    of('NATS', natsUrl, nats, inNatsHeaders),
    of('RabbitMQ', rabbitUrl, rabbit, inRmqHeaders),
  ];
}

function messages(name: RowName, connect: Line['connect'], available = true): Line {
  return { name, connect, available, form: (body) => body };
}

/** A hybrid application with handlers for messages and for gRPC. */
function describeHybrid(
  placement: Placement,
  inheritAppConfig: boolean,
  all: readonly Way[],
): void {
  const Messages = handlersOf(placement, (name) => MessagePattern(RUN + name));
  const Calls = handlersOf(
    placement,
    (name) => GrpcMethod('Matrix', name),
    (who) => ({ who }),
  );
  Controller()(Messages);
  Controller()(Calls);
  const reached = all.filter(({ line }) => line.available !== false);
  describeMatrix(
    `a hybrid application ${inheritAppConfig ? 'with' : 'without'} inheritAppConfig`,
    placement,
    (given): InstanceSettings => ({
      ...given,
      controllers: [Messages, Calls],
      beforeInit: (app: INestApplication) => {
        given.beforeInit?.(app);
        for (const { options } of reached) app.connectMicroservice(options, { inheritAppConfig });
      },
    }),
    all.map(({ line }) => line),
  );
}

describeHybrid('@UseGuards', false, [...(await ways()), ...brokers()]);
describeHybrid('APP_GUARD', true, await ways());
describeHybrid('useGlobalGuards', true, (await ways()).slice(0, 1));

expectLines('transports/microservices.spec.ts');
