import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { headers as natsHeaders } from '@nats-io/transport-node';
import {
  type ClientOptions,
  type ClientProxy,
  ClientProxyFactory,
  NatsRecordBuilder,
  RmqRecordBuilder,
} from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import type { Answer, Client, Sent } from './matrix.js';
import { refusalOf } from './socket-clients.js';

export const PROTO = 'test/transports/matrix.proto';

/** Puts the token into its place of the transport, and returns the data of the message. */
type Dress = (sent: Sent, client: ClientProxy) => unknown;

/** Asks message handlers through the transport's own client. */
export function messageClient(options: ClientOptions, prefix: string, dress: Dress) {
  return async (): Promise<Client> => {
    const client = ClientProxyFactory.create(options);
    await client.connect();
    return {
      async ask(handler, sent): Promise<Answer> {
        try {
          return { who: await lastValueFrom(client.send(prefix + handler, dress(sent, client))) };
        } catch (raw) {
          if (raw instanceof Error) throw raw;
          return { refusal: refusalOf(raw as object, raw) };
        }
      },
      close: () => client.close(),
    };
  };
}

/** TCP and Redis: in the data; the second token in the packet's metadata. */
export const inData: Dress = ({ authorization, second }, client) => {
  client.setOnDispatchHook((packet: { metadata?: object }) => {
    if (second !== undefined) packet.metadata = { authorization: `Bearer ${second}` };
  });
  return { some: 'data', authorization };
};

/** NATS: in headers, where a name may have several values. */
export const inNatsHeaders: Dress = ({ authorization, second }) => {
  const headers = natsHeaders();
  if (typeof authorization === 'string') headers.append('Authorization', authorization);
  if (second !== undefined) headers.append('authorization', `Bearer ${second}`);
  return new NatsRecordBuilder('data').setHeaders(headers).build();
};

/** RabbitMQ: in the properties' headers. */
export const inRmqHeaders: Dress = ({ authorization, second }) => {
  const headers = {
    ...(authorization === undefined ? {} : { authorization: authorization as string }),
    ...(second === undefined ? {} : { Authorization: `Bearer ${second}` }),
  };
  return new RmqRecordBuilder('data').setOptions({ headers }).build();
};

type Call = (
  request: object,
  metadata: grpc.Metadata,
  done: (error: grpc.ServiceError | null, answer: { who: string }) => void,
) => void;

type Method = Record<string, Call & ((...given: object[]) => grpc.ClientReadableStream<unknown>)>;

/** A client of one service of the file {@link PROTO}. */
export function grpcService(url: string, service: 'Matrix' | 'Streams'): grpc.Client & Method {
  const { transports } = grpc.loadPackageDefinition(loadSync(PROTO)) as unknown as {
    transports: Record<
      string,
      new (url: string, how: grpc.ChannelCredentials) => grpc.Client & Method
    >;
  };
  const Service = transports[service];
  if (Service === undefined) throw new Error(`No service ${service}.`);
  return new Service(url, grpc.credentials.createInsecure());
}

export function grpcMetadata({ authorization, second }: Sent): grpc.Metadata {
  const metadata = new grpc.Metadata();
  if (typeof authorization === 'string') metadata.add('authorization', authorization);
  if (second !== undefined) metadata.add('authorization', `Bearer ${second}`);
  return metadata;
}

/** Asks over gRPC: code and reason are in the metadata of the status. */
export function grpcClient(url: string) {
  return async (): Promise<Client> => {
    const client = grpcService(url, 'Matrix');
    return {
      ask: (handler, sent) =>
        new Promise<Answer>((resolve) => {
          client[handler]?.({}, grpcMetadata(sent), (error, answer) =>
            resolve(error === null ? { who: answer.who } : { refusal: grpcRefusal(error) }),
          );
        }),
      close: () => client.close(),
    };
  };
}

export function grpcRefusal({ code: status, details, metadata }: grpc.ServiceError) {
  const { code, reason, 'max-age': maxAge } = metadata.getMap();
  return { code, reason, status, raw: { status, details, code, reason, maxAge } };
}
