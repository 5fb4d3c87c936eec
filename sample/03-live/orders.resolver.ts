import { UseGuards } from '@nestjs/common';
import { Field, Int, ObjectType, Query, Resolver, Subscription } from '@nestjs/graphql';
import { CurrentUser, JwtAuthGuard } from 'nestjs-logout';
import { type Order, Orders } from './orders.js';

@ObjectType('Order')
class OrderType implements Order {
  @Field(() => Int) readonly number!: number;
  @Field(() => String) readonly customer!: string;
}

/** Its connection is accepted in `AppModule`, and all subscriptions end with it. */
@Resolver()
export class OrdersResolver {
  constructor(private readonly source: Orders) {}

  @UseGuards(JwtAuthGuard)
  @Subscription(() => OrderType, { resolve: (order: Order) => order })
  orders(@CurrentUser('sub') subject: string): AsyncIterable<Order> {
    return this.source.of(subject);
  }

  /** A schema has at least one query. */
  @Query(() => String)
  shop(): string {
    return 'nestjs-logout';
  }
}
