import { Controller, Get, RequestMethod, UseGuards, VERSION_NEUTRAL } from '@nestjs/common';
import { KeyRing, type PublicJwk } from '../authentication/key-ring.js';
import { Public } from '../authentication/decorators.js';
import { NoStoreGuard } from './no-store.guard.js';

/** `GET /.well-known/jwks.json`: the public keys, for services that verify tokens themselves. */
@Public()
@UseGuards(NoStoreGuard)
@Controller({ path: '.well-known', version: VERSION_NEUTRAL })
export class JwksController {
  constructor(private readonly keys: KeyRing) {}

  @Get('jwks.json')
  jwks(): { readonly keys: readonly PublicJwk[] } {
    return { keys: this.keys.publicKeys() };
  }
}

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
