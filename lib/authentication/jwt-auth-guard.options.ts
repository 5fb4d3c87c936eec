import { Injectable } from '@nestjs/common';
import { JwtStrategy } from './jwt.strategy.js';

/**
 * The options that `AuthGuard` of @nestjs/passport reads from `JwtAuthGuard`: the strategy's own name.
 *
 * AuthGuard copies them at each request. So nothing else is kept here: one public property is copied
 * quickly, a private or a frozen one is not.
 */
@Injectable()
export class JwtAuthGuardOptions {
  readonly defaultStrategy: string;

  constructor(strategy: JwtStrategy) {
    this.defaultStrategy = strategy.uniqueName;
  }
}
