import {
  Controller,
  type INestApplication,
  type MessageEvent,
  Sse,
  UseGuards,
} from '@nestjs/common';
import {
  ConnectedSocket,
  MessageBody,
  type OnGatewayConnection,
  SubscribeMessage,
  WebSocketGateway,
} from '@nestjs/websockets';
import { buildSchema } from 'graphql';
import { type Client, createClient } from 'graphql-ws';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { NEVER, type Observable, startWith } from 'rxjs';
import { io, type Socket } from 'socket.io-client';
import { WebSocket, WebSocketServer } from 'ws';
import {
  AuthException,
  CurrentToken,
  JwtAuthGuard,
  LiveSockets,
  LiveTokens,
  type SocketIoSocket,
  type TokenClaims,
  TokenService,
} from 'nestjs-logout';
import { eventually } from '../../support/eventually.js';
import { type Instance, type InstanceSettings, startInstance } from '../../support/instance.js';
import type { TestDatabase } from '../../support/databases.js';

/** Everything that may be open. `subscription` ends the subscription, `graphql-ws` its socket. */
export const KINDS = ['sse', 'socket.io', 'ws', 'graphql-ws', 'subscription'] as const;
export type Kind = (typeof KINDS)[number];

/** Those that can present another token while they are open. */
export const RENEWING: readonly Kind[] = ['socket.io', 'ws'];

/** An open connection as its client sees it. */
export interface Connection {
  readonly isOpen: boolean;
  /** What the client received when it was closed. */
  readonly why: unknown;
  /** Presents another token on the open socket; returns `'renewed'` or a code. */
  renew(token: string): Promise<string>;
  close(): void;
}

@UseGuards(JwtAuthGuard)
@Controller()
class EventsController {
  constructor(private readonly live: LiveTokens) {}

  @Sse('events')
  events(@CurrentToken() claims: TokenClaims): Observable<MessageEvent> {
    return NEVER.pipe(startWith({ data: 'open' }), this.live.untilRevoked(claims));
  }
}

@WebSocketGateway()
class EventsGateway implements OnGatewayConnection {
  constructor(private readonly sockets: LiveSockets) {}

  async handleConnection(
    socket: SocketIoSocket & { handshake: { auth: { token?: unknown } } },
  ): Promise<void> {
    await this.sockets.accept(socket, socket.handshake.auth.token);
  }

  @SubscribeMessage('who')
  who(@ConnectedSocket() socket: SocketIoSocket): string {
    return this.sockets.claimsOf(socket)?.sub ?? 'no one';
  }

  @SubscribeMessage('renew')
  renew(@ConnectedSocket() socket: SocketIoSocket, @MessageBody() token: unknown): Promise<string> {
    return renewed(this.sockets, socket, token);
  }
}

async function renewed(
  sockets: LiveSockets,
  socket: Parameters<LiveSockets['renew']>[0],
  token: unknown,
): Promise<string> {
  try {
    await sockets.renew(socket, token);
    return 'renewed';
  } catch (error) {
    if (error instanceof AuthException) return error.code;
    throw error;
  }
}

/** Where a server is reached, in this process or in another. */
export interface LiveUrls {
  readonly http: string;
  readonly ws: string;
  readonly graphql: string;
  readonly subscription: string;
}

/** What an application needs for {@link serveLive}. */
export const LIVE_PARTS = { controllers: [EventsController], providers: [EventsGateway] };

/** Opens the servers of an application that listens: one of ws, two of graphql-ws. */
export async function serveLive(
  app: INestApplication,
): Promise<{ readonly urls: LiveUrls; readonly close: () => void }> {
  const open = async (): Promise<WebSocketServer> => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    return server;
  };
  const [plain, graphql, subscription] = [await open(), await open(), await open()];
  serveWs(app, plain);
  serveGraphql(app, graphql, true);
  serveGraphql(app, subscription, false);
  return {
    urls: {
      http: await app.getUrl(),
      ws: urlOf(plain),
      graphql: urlOf(graphql),
      subscription: urlOf(subscription),
    },
    close: () => {
      for (const server of [plain, graphql, subscription]) {
        for (const client of server.clients) client.terminate();
        server.close();
      }
    },
  };
}

/** An instance with an event stream, a gateway of socket.io, a server of ws and two of graphql-ws. */
export class LiveServer {
  private readonly connections: Connection[] = [];

  private constructor(
    readonly instance: Instance,
    private readonly served: Awaited<ReturnType<typeof serveLive>>,
  ) {}

  static async start(database: TestDatabase, settings: InstanceSettings): Promise<LiveServer> {
    const instance = await startInstance(database, { ...settings, ...LIVE_PARTS });
    await instance.app.listen(0, '127.0.0.1');
    return new LiveServer(instance, await serveLive(instance.app));
  }

  /** Opens a connection and waits until it is accepted or refused. */
  async connect(kind: Kind, token: string): Promise<Connection> {
    const connection = await connectTo(this.served.urls, kind, token);
    this.connections.push(connection);
    return connection;
  }

  async close(): Promise<void> {
    for (const connection of this.connections) connection.close();
    this.served.close();
    await this.instance.close();
  }
}

/** Opens a connection and waits until it is accepted or refused. */
export function connectTo(urls: LiveUrls, kind: Kind, token: string): Promise<Connection> {
  if (kind === 'sse') return openEvents(`${urls.http}/events`, token);
  if (kind === 'socket.io') return openSocketIo(urls.http, token);
  if (kind === 'ws') return openWs(urls.ws, token);
  return openSubscription(kind === 'graphql-ws' ? urls.graphql : urls.subscription, token);
}

function urlOf(server: WebSocketServer): string {
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function serveWs(app: INestApplication, server: WebSocketServer): void {
  const sockets = app.get(LiveSockets);
  server.on('connection', async (socket, request) => {
    const token = request.headers.authorization?.slice('Bearer '.length);
    if ((await sockets.accept(socket, token)) === undefined) return;
    socket.on('message', async (data) => {
      socket.send(await renewed(sockets, socket, String(data)));
    });
    socket.send('open');
  });
}

/** @param closesSockets - By LiveSockets; else each subscription ends by itself. */
function serveGraphql(
  app: INestApplication,
  server: WebSocketServer,
  closesSockets: boolean,
): void {
  const [sockets, live] = [app.get(LiveSockets), app.get(LiveTokens)];
  const tokens = app.get(TokenService);
  const claimsBy = new WeakMap<object, TokenClaims>();
  useServer<{ token?: string }, Extra & Record<PropertyKey, unknown>>(
    {
      schema: buildSchema('type Query { none: Int } type Subscription { ticks: Int }'),
      onConnect: async ({ connectionParams, extra }) => {
        const token = connectionParams?.token;
        const claims = closesSockets
          ? await sockets.accept(extra.socket, token)
          : await tokens.verify(token as string);
        if (claims !== undefined) claimsBy.set(extra.socket, claims);
        return claims !== undefined;
      },
      context: ({ extra }) => ({ socket: extra.socket }),
      roots: {
        subscription: {
          ticks: (_: unknown, { socket }: { socket: object }) => {
            const ticks = oneTick();
            return closesSockets
              ? ticks
              : live.iterateUntilRevoked(claimsBy.get(socket) as TokenClaims, ticks);
          },
        },
      },
    },
    server,
  );
}

/** One value, and then none: only the end of the token ends it. */
function oneTick(): AsyncIterableIterator<{ ticks: number }> {
  let isFirst = true;
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      if (!isFirst) return new Promise(() => undefined);
      isFirst = false;
      return Promise.resolve({ done: false, value: { ticks: 1 } });
    },
    return: () => Promise.resolve({ done: true, value: undefined }),
  };
}

async function openEvents(url: string, token: string): Promise<Connection> {
  const controller = new AbortController();
  const { signal } = controller;
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` }, signal });
  const state = { isOpen: true, why: undefined as unknown };
  const body = response.body as ReadableStream<Uint8Array>;
  const reader = body.getReader();
  await reader.read();
  const read = async (): Promise<void> => {
    while (!(await reader.read()).done);
    state.isOpen = false;
  };
  read().catch(() => undefined);
  return connectionOf(state, () => controller.abort());
}

async function openSocketIo(url: string, token: string): Promise<Connection> {
  const socket: Socket = io(url, {
    auth: { token },
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
  });
  const state = { isOpen: true, why: undefined as unknown };
  socket.on('exception', (body) => (state.why = body));
  socket.on('disconnect', () => (state.isOpen = false));
  await once(socket as unknown as NodeJS.EventEmitter, 'connect');
  await eventually(async () => !state.isOpen || (await ask(socket, 'who')) !== 'no one');
  return connectionOf(
    state,
    () => socket.disconnect(),
    (next) => ask(socket, 'renew', next),
  );
}

async function ask(socket: Socket, event: string, data?: unknown): Promise<string> {
  return socket.timeout(5_000).emitWithAck(event, data) as Promise<string>;
}

async function openWs(url: string, token: string): Promise<Connection> {
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
  const state = { isOpen: true, why: undefined as unknown };
  socket.on('close', (code, reason) => {
    state.isOpen = false;
    state.why = `${code} ${String(reason)}`;
  });
  const first = once(socket, 'message');
  await Promise.race([first, once(socket, 'close')]);
  return connectionOf(
    state,
    () => socket.terminate(),
    async (next) => {
      const answer = once(socket, 'message');
      socket.send(next);
      return String((await answer)[0]);
    },
  );
}

async function openSubscription(url: string, token: string): Promise<Connection> {
  const state = { isOpen: true, why: undefined as unknown };
  const client: Client = createClient({
    url,
    webSocketImpl: WebSocket,
    connectionParams: { token },
    retryAttempts: 0,
    on: {
      closed: (event) => {
        const { code, reason } = event as { code: number; reason: string };
        state.why ??= `${code} ${reason}`;
      },
    },
  });
  let hasStarted = false;
  const over = (): void => {
    hasStarted = true;
    state.isOpen = false;
  };
  client.subscribe(
    { query: 'subscription { ticks }' },
    { next: () => (hasStarted = true), error: over, complete: over },
  );
  await eventually(() => hasStarted);
  return connectionOf(state, () => void client.dispose());
}

function connectionOf(
  state: { isOpen: boolean; why: unknown },
  close: () => void,
  renew: (token: string) => Promise<string> = () => Promise.resolve('not by this kind'),
): Connection {
  return {
    get isOpen() {
      return state.isOpen;
    },
    get why() {
      return state.why;
    },
    renew,
    close,
  };
}
