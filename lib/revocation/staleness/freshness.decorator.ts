import { Reflector } from '@nestjs/core';
import { AuthWiringError } from '../../errors/auth-wiring.error.js';
import type { Freshness as FreshnessDemand } from '../token-claims.js';

/**
 * How fresh the proof must be that the token is not revoked: at most so many seconds old, or
 * `'strict'`: dated after the request arrived. It only tightens what the module says.
 *
 * @example
 * ```ts
 * @Freshness('strict') @Post('transfers') transfer() { … }
 * ```
 * @publicApi
 */
export const Freshness = Reflector.createDecorator<FreshnessDemand, FreshnessDemand>({
  key: 'nestjs-logout:freshness',
  transform: (value) => {
    if (value === 'strict' || (Number.isFinite(value) && value >= 0)) return value;
    throw new AuthWiringError(
      `@Freshness(${JSON.stringify(value)}) is neither "strict" nor a number of seconds from 0.`,
    );
  },
});
