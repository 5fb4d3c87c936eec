import { Controller, Headers, Inject, type MessageEvent, Sse, UseGuards } from '@nestjs/common';
import type { ClientProxy } from '@nestjs/microservices';
import { CurrentToken, JwtAuthGuard, LiveTokens, type TokenClaims } from 'nestjs-logout';
import { catchError, from, map, type Observable, of } from 'rxjs';
import { MESSAGES } from './messages.js';
import { type Order, Orders } from './orders.js';

@UseGuards(JwtAuthGuard)
@Controller('orders')
export class OrdersController {
  constructor(
    private readonly orders: Orders,
    private readonly live: LiveTokens,
    @Inject(MESSAGES) private readonly client: ClientProxy,
  ) {}

  /** Server-sent events. They complete with the token; the client asks again, and gets the 401. */
  @Sse('events')
  events(@CurrentToken() claims: TokenClaims): Observable<MessageEvent> {
    return from(this.orders.of(claims.sub)).pipe(
      map((data) => ({ data })),
      this.live.untilRevoked(claims),
    );
  }

  /**
   * The answers of the message handler, for a page that cannot speak TCP. Nothing here watches the token:
   * the handler does, and what it refuses is passed on.
   */
  @Sse('messages')
  messages(@Headers('authorization') authorization: string): Observable<MessageEvent> {
    return this.client.send<Order>('orders', { authorization }).pipe(
      map((data) => ({ data })),
      catchError((refusal: object) => of({ type: 'refused', data: refusal })),
    );
  }
}
