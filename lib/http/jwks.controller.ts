import { Controller, Get, UseGuards, VERSION_NEUTRAL } from '@nestjs/common';
import { KeyRing, type PublicJwk } from '../authentication/key-ring.service.js';
import { Public } from '../authentication/public.decorator.js';
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
