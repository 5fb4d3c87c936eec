import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { GuardApp } from './app.js';
import type { Credentials } from './credentials.js';

/** Sends `count` requests to a route and resolves when all were answered with 200. */
export type Driver = (path: string, count: number, credentials?: Credentials) => Promise<void>;

/** How many requests are in flight at a time. */
const CONCURRENCY = 16;

/** Requests of the whole application without a socket: nothing but the application's own work. */
export function injectDriver({ app, seen }: Pick<GuardApp, 'app' | 'seen'>): Driver {
  const fastify = app as NestFastifyApplication;
  return spread(seen, async (url, share, credentials) => {
    for (let i = 0; i < share; i++) {
      const { header, value } = credentials.take();
      const response = await fastify.inject({ method: 'GET', url, headers: { [header]: value } });
      if (response.statusCode !== 200) throw refused(url, response.statusCode);
    }
  });
}

/**
 * Requests over kept-alive connections to a listener of this process. Express wants a real request;
 * the client is a few lines on a bare socket, so that little of the time is its own.
 */
export async function socketDriver({
  app,
  seen,
}: GuardApp): Promise<{ drive: Driver; close: () => void }> {
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
  const sockets = await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      await once(socket, 'connect');
      return socket;
    }),
  );
  const drive = spread(seen, async (path, share, credentials, lane) => {
    const socket = sockets[lane] as Socket;
    for (let i = 0; i < share; i++) {
      const { header, value } = credentials.take();
      socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n${header}: ${value}\r\n\r\n`);
      const status = await answerOf(socket);
      if (status !== 200) throw refused(path, status);
    }
  });
  return { drive, close: () => sockets.forEach((socket) => socket.destroy()) };
}

function spread(
  seen: Credentials,
  send: (path: string, share: number, credentials: Credentials, lane: number) => Promise<void>,
): Driver {
  return async (path, count, credentials = seen) => {
    const share = Math.ceil(count / CONCURRENCY);
    await Promise.all(
      Array.from({ length: CONCURRENCY }, (_, lane) => send(path, share, credentials, lane)),
    );
  };
}

/** The answers are small: each comes in one piece. */
function answerOf(socket: Socket): Promise<number> {
  return new Promise((resolve) => {
    socket.once('data', (bytes: Buffer) => resolve(Number(bytes.toString('latin1', 9, 12))));
  });
}

function refused(path: string, status: number): Error {
  return new Error(`${path} answered ${status}; what is measured must be answered with 200`);
}
