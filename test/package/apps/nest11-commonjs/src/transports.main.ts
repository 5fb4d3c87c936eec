import { Controller, Module, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type ClientProxy,
  ClientProxyFactory,
  MessagePattern,
  Transport,
} from '@nestjs/microservices';
import { TypeOrmModule } from '@nestjs/typeorm';
import { type OnGatewayConnection, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  AuthModule,
  CurrentToken,
  CurrentUser,
  JwtAuthGuard,
  LiveSockets,
  LiveTokens,
  LogoutService,
  SessionService,
  type SocketIoSocket,
  type TokenClaims,
} from 'nestjs-logout';
import { createServer, type AddressInfo } from 'node:net';
import { lastValueFrom, NEVER, startWith } from 'rxjs';
import { io } from 'socket.io-client';

@UseGuards(JwtAuthGuard)
@WebSocketGateway()
class OrdersGateway implements OnGatewayConnection {
  constructor(private readonly sockets: LiveSockets) {}

  async handleConnection(socket: SocketIoSocket & { handshake: { auth: { token?: unknown } } }) {
    if (socket.handshake.auth.token !== undefined) {
      await this.sockets.accept(socket, socket.handshake.auth.token);
    }
  }

  @SubscribeMessage('who')
  who(@CurrentUser('sub') subject: string) {
    return subject;
  }
}

@UseGuards(JwtAuthGuard)
@Controller()
class OrdersMessages {
  constructor(private readonly live: LiveTokens) {}

  @MessagePattern('who')
  who(@CurrentUser('sub') subject: string) {
    return subject;
  }

  @MessagePattern('changes')
  changes(@CurrentToken() claims: TokenClaims) {
    return NEVER.pipe(startWith('open'), this.live.untilRevoked(claims, { end: 'error' }));
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:' }),
    AuthModule.forRoot({
      secret: 'a secret of the package test, 32 bytes or more',
      issuer: 'https://auth.example.com',
      audience: 'https://api.example.com',
      migrations: 'run',
    }),
  ],
  controllers: [OrdersMessages],
  providers: [OrdersGateway],
})
class TransportsModule {}

/** Asks its own gateway and message handlers, and prints what they answered. */
async function bootstrap() {
  const options = { host: '127.0.0.1', port: await freePort() };
  const tcp = { transport: Transport.TCP as const, options };
  const app = await NestFactory.create(TransportsModule, { logger: ['error', 'warn'] });
  app.connectMicroservice(tcp, { inheritAppConfig: true });
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const client = ClientProxyFactory.create(tcp);
  const login = await app.get(SessionService).login(() => ({ subject: 'john' }));
  const token = login?.accessToken ?? '';

  const socket = [await askSocket(url), await askSocket(url, token)];
  const message = [await askHandler(client), await askHandler(client, token)];
  const open = [closed(url, token), ended(client, token)];
  await Promise.all(open.map(({ opened }) => opened));
  await app.get(LogoutService).logout(token);
  const ends = await Promise.all(open.map(({ over }) => over));
  socket.push(await askSocket(url, token));
  message.push(await askHandler(client, token));
  console.log(JSON.stringify({ socket, message, ends }));
  client.close();
  await app.close();
}

function connect(url: string, token?: string) {
  const options = { forceNew: true, reconnection: false, transports: ['websocket'] };
  return io(url, { ...options, auth: token === undefined ? {} : { token } });
}

function askSocket(url: string, token?: string): Promise<string> {
  const socket = connect(url, token);
  return new Promise<string>((resolve, reject) => {
    socket.on('connect_error', reject);
    socket.on('exception', ({ code }: { code: string }) => resolve(code));
    socket.emit('who', {}, resolve);
  }).finally(() => socket.disconnect());
}

async function askHandler(client: ClientProxy, token?: string): Promise<string> {
  const authorization = token === undefined ? undefined : `Bearer ${token}`;
  try {
    return await lastValueFrom(client.send<string>('who', { authorization }));
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** An open socket, and what it received before it was disconnected. */
function closed(url: string, token: string) {
  const socket = connect(url, token);
  let why = 'nothing';
  socket.on('exception', ({ code }: { code: string }) => (why = code));
  return {
    opened: new Promise<unknown>((resolve) => socket.emit('who', {}, resolve)),
    over: new Promise<string>((resolve) => socket.on('disconnect', () => resolve(why))),
  };
}

/** An open stream of answers, and the refusal that ended it. */
function ended(client: ClientProxy, token: string) {
  let over: (code: string) => void;
  const opened = new Promise<void>((resolve) => {
    client.send<string>('changes', { authorization: `Bearer ${token}` }).subscribe({
      next: () => resolve(),
      error: ({ code }: { code: string }) => over(code),
    });
  });
  return { opened, over: new Promise<string>((resolve) => (over = resolve)) };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

void bootstrap();
