import { Injectable } from '@nestjs/common';
import { setTimeout } from 'node:timers/promises';

export interface Order {
  readonly number: number;
  readonly customer: string;
}

/** Between two orders (ms). */
const PAUSE = 250;

/** What the four connections show. An application has a queue or a LISTEN here. */
@Injectable()
export class Orders {
  /** The new orders of an account, without an end. */
  async *of(customer: string): AsyncGenerator<Order> {
    for (let number = 1; ; number++) {
      yield { number, customer };
      await setTimeout(PAUSE, undefined, { ref: false });
    }
  }
}
