import { RequestMethod } from '@nestjs/common';

/**
 * The routes that keep their address under a global prefix: a well-known one is looked for at the root
 * (RFC 8615 section 3).
 *
 * @example
 * ```ts
 * app.setGlobalPrefix('api', { exclude: authRoutesToExclude });
 * ```
 * @publicApi
 */
export const authRoutesToExclude: { path: string; method: RequestMethod }[] = [
  { path: '.well-known/jwks.json', method: RequestMethod.GET },
];
