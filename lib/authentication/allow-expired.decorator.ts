import { Reflector } from '@nestjs/core';

/**
 * For routes that end a login: the token may have expired, and may have been revoked already, so
 * that a logout can be repeated. Signature and claims are checked as always, and a token that was
 * signed by a revoked key is refused.
 *
 * Never put it on a route that gives something out.
 *
 * @publicApi
 */
export const AllowExpired = Reflector.createDecorator<boolean | undefined, boolean>({
  key: 'nestjs-logout:allow-expired',
  transform: (value = true) => value,
});
