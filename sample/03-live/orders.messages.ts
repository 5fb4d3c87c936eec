import { Controller, UseGuards } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { CurrentToken, JwtAuthGuard, LiveTokens, type TokenClaims } from 'nestjs-logout';
import { from, type Observable } from 'rxjs';
import { type Order, Orders } from './orders.js';

/** A message handler whose answers are a stream. The token is in the message. */
@UseGuards(JwtAuthGuard)
@Controller()
export class OrdersMessages {
  constructor(
    private readonly orders: Orders,
    private readonly live: LiveTokens,
  ) {}

  /**
   * Nest does not notify a handler that its caller has stopped listening. So the end of the token
   * also ends the stream of a caller that has gone.
   */
  @MessagePattern('orders')
  changes(@CurrentToken() claims: TokenClaims): Observable<Order> {
    return from(this.orders.of(claims.sub)).pipe(this.live.untilRevoked(claims, { end: 'error' }));
  }
}
