import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { INestApplication } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import type { IncomingMessage } from 'node:http';
import { rememberHandshake } from 'nestjs-logout';
import { expectLines } from './support/asked.js';
import { handlersOf } from './support/handlers.js';
import { describeMatrix } from './support/matrix.js';
import { socketIoClient, wsClient } from './support/socket-clients.js';

const IoGateway = handlersOf('APP_GUARD', (name) => SubscribeMessage(name));
WebSocketGateway()(IoGateway);

const WsHandlers = handlersOf('@UseGuards', (name) => SubscribeMessage(name));
class WsGateway extends WsHandlers {
  handleConnection(client: object, request: IncomingMessage): void {
    rememberHandshake(client, request);
  }
}
WebSocketGateway()(WsGateway);

const form = (body: object): object => ({ status: 'error', ...body });

describeMatrix(
  'a gateway of socket.io',
  'APP_GUARD',
  (given) => ({ ...given, providers: [...(given.providers ?? []), IoGateway] }),
  [{ name: 'gateway, socket.io', connect: socketIoClient, form, garbage: { token: {} } }],
);

describeMatrix(
  'a gateway of ws',
  '@UseGuards',
  (given) => ({
    ...given,
    providers: [WsGateway],
    beforeInit: (app: INestApplication) => void app.useWebSocketAdapter(new WsAdapter(app)),
  }),
  [
    {
      name: 'gateway, ws',
      connect: wsClient,
      form: (body) => ({ event: 'exception', data: form(body) }),
    },
  ],
);

expectLines('transports/sockets.spec.ts');
