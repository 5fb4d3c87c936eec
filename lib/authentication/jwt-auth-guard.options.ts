import { Injectable } from '@nestjs/common';
import type { AuthRequest } from '../platform/execution-context.js';
import type { AuthException } from '../errors/auth.exception.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import { JwtStrategy } from './jwt.strategy.js';

/**
 * The options that `AuthGuard` of @nestjs/passport reads from `JwtAuthGuard`: the strategy's own name.
 *
 * AuthGuard copies its options twice at each request, and every property that it finds there costs
 * about 1 % of the request. A getter is read, but not copied.
 */
@Injectable()
export class JwtAuthGuardOptions {
  readonly #strategy: JwtStrategy;
  readonly #meter: AuthMeter;

  constructor(strategy: JwtStrategy, meter: AuthMeter) {
    this.#strategy = strategy;
    this.#meter = meter;
  }

  /** What passport is asked for. */
  get defaultStrategy(): string {
    return this.#strategy.uniqueName;
  }

  /** The token that the strategy would find; a method of the class is not copied either. */
  tokenOf(request: AuthRequest): string | undefined {
    return this.#strategy.tokenOf(request);
  }

  /** Counts what the guard answers. */
  count(refusal: AuthException): void {
    this.#meter.refuse(refusal);
  }
}
