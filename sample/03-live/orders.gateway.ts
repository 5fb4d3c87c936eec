import { UseGuards } from '@nestjs/common';
import {
  type OnGatewayConnection,
  SubscribeMessage,
  WebSocketGateway,
  type WsResponse,
} from '@nestjs/websockets';
import { CurrentUser, JwtAuthGuard, LiveSockets, type SocketIoSocket } from 'nestjs-logout';
import { from, map, type Observable } from 'rxjs';
import { type Order, Orders } from './orders.js';

type Socket = SocketIoSocket & {
  readonly handshake: { readonly auth: { readonly token?: unknown } };
};

/** The guard checks each message, `LiveSockets` the socket for as long as it is open. */
@UseGuards(JwtAuthGuard)
@WebSocketGateway()
export class OrdersGateway implements OnGatewayConnection {
  constructor(
    private readonly source: Orders,
    private readonly sockets: LiveSockets,
  ) {}

  async handleConnection(socket: Socket): Promise<void> {
    await this.sockets.accept(socket, socket.handshake.auth.token);
  }

  @SubscribeMessage('orders')
  orders(@CurrentUser('sub') subject: string): Observable<WsResponse<Order>> {
    return from(this.source.of(subject)).pipe(map((data) => ({ event: 'order', data })));
  }
}
