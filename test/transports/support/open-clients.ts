import { WebSocket } from 'ws';
import { createClient } from 'graphql-ws';
import { once } from 'node:events';
import type { ClientProxy } from '@nestjs/microservices';
import { io } from 'socket.io-client';
import { eventually } from '../../support/eventually.js';
import { grpcMetadata, grpcRefusal, grpcService, type messageClient } from './message-clients.js';

/** A connection that has been accepted, as its client sees it. */
export interface Open {
  /** How it ended, once it has: `'complete'`, a code, or what the client got with the close. */
  readonly end: string | undefined;
  close(): unknown;
}

/** Collects what a client sees. */
class Seen implements Open {
  end: string | undefined;
  isAccepted = false;
  close: () => unknown = () => undefined;

  readonly accept = (): void => {
    this.isAccepted = true;
  };

  over(how: unknown): void {
    this.end ??= String(how);
  }

  async whenOpen(): Promise<this> {
    await eventually(() => this.isAccepted || this.end !== undefined);
    return this;
  }
}

export async function openEvents(url: string, token: string): Promise<Open> {
  const seen = new Seen();
  const controller = new AbortController();
  seen.close = () => controller.abort();
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${url}/ticks`, { headers, signal: controller.signal });
  const read = async (): Promise<void> => {
    for await (const _ of response.body ?? []) seen.accept();
    seen.over('complete');
  };
  read().catch(() => undefined);
  return seen.whenOpen();
}

export async function openSubscription(url: string, token: string): Promise<Open> {
  const seen = new Seen();
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { token },
  });
  seen.close = () => client.dispose();
  client.subscribe(
    { query: 'subscription { ticks }' },
    {
      next: ({ errors }) => (errors === undefined ? seen.accept() : seen.over(errors[0]?.message)),
      error: (error) => seen.over(JSON.stringify(error)),
      complete: () => seen.over('complete'),
    },
  );
  return seen.whenOpen();
}

export async function openSocketIo(url: string, token: string): Promise<Open> {
  const seen = new Seen();
  const options = { forceNew: true, reconnection: false, transports: ['websocket'] };
  const socket = io(url, { ...options, auth: { token } });
  seen.close = () => socket.disconnect();
  let why = 'disconnected';
  socket.on('accepted', seen.accept);
  socket.on('exception', ({ code }: { code: string }) => (why = code));
  socket.on('disconnect', () => seen.over(why));
  return seen.whenOpen();
}

export async function openWs(url: string, token: string): Promise<Open> {
  const seen = new Seen();
  const headers = { authorization: `Bearer ${token}` };
  const socket = new WebSocket(url.replace('http', 'ws'), { headers });
  seen.close = () => socket.close();
  socket.on('message', seen.accept);
  socket.on('close', (code, reason) => seen.over(`${code} ${String(reason)}`));
  await once(socket, 'open');
  return seen.whenOpen();
}

/** The answers of a message handler. */
export async function openMessages(
  client: ClientProxy,
  pattern: string,
  dress: Parameters<typeof messageClient>[2],
  token: string,
): Promise<Open> {
  const seen = new Seen();
  const answers = client.send(pattern, dress({ authorization: `Bearer ${token}` }, client));
  const subscription = answers.subscribe({
    next: seen.accept,
    error: ({ code }: { code?: unknown }) => seen.over(code),
    complete: () => seen.over('complete'),
  });
  seen.close = () => subscription.unsubscribe();
  return seen.whenOpen();
}

export async function openCall(url: string, token: string): Promise<Open> {
  const seen = new Seen();
  const service = grpcService(url, 'Streams');
  const call = service['answers']!({}, grpcMetadata({ authorization: `Bearer ${token}` }));
  seen.close = () => service.close();
  call.on('data', seen.accept);
  call.on('error', (error) => seen.over(grpcRefusal(error as never).code));
  call.on('end', () => seen.over('complete'));
  return seen.whenOpen();
}
