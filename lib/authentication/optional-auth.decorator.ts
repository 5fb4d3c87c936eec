import { Reflector } from '@nestjs/core';

/**
 * The route may be called without a token, and then has no user; a bad token is refused all the same.
 *
 * @publicApi
 */
export const OptionalAuth = Reflector.createDecorator<boolean | undefined, boolean>({
  key: 'nestjs-logout:optional-auth',
  transform: (value = true) => value,
});
