import { type DynamicModule, Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { JwtService } from '@nestjs/jwt';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { exportedBy } from '../platform/module-graph.js';
import { RevocationService } from '../revocation/revocation.service.js';
import { KeyJwt, RingJwtService } from './jwt.service.js';
import { KeyRing } from './key-ring.js';

/**
 * Sees at boot that no other module gives a `JwtService` to the whole application: which of two is
 * injected would depend on the order of imports, and so would what the application's tokens mean.
 */
@Injectable()
class OnlyGlobalJwtService implements OnModuleInit {
  constructor(private readonly modules: ModulesContainer) {}

  /** @throws AuthWiringError that names the other module. */
  onModuleInit(): void {
    for (const module of this.modules.values()) {
      if (module.metatype === JwtServiceModule || !module.isGlobal) continue;
      if (exportedBy(module, JwtService) === undefined) continue;
      throw new AuthWiringError(
        `Two global modules export JwtService: ${module.metatype.name} and AuthModule.`,
        'Keep yours: AuthModule.forRoot({ exportJwtService: false, … }).',
        'Keep the one of AuthModule: remove `global` there, and import JwtModule where it is used.',
      );
    }
  }
}

const PROVIDER = {
  provide: JwtService,
  inject: [KeyRing, KeyJwt, RevocationService, RESOLVED_AUTH_OPTIONS],
  useFactory: (
    ring: KeyRing,
    keyed: KeyJwt,
    revocation: RevocationService,
    options: ResolvedAuthOptions,
  ) => new RingJwtService(ring, keyed, revocation, options),
};

/**
 * Gives `JwtService` to modules that have none of their own. It is global and AuthModule does not
 * export it, because Nest looks into a module's own imports before it looks into global modules: so
 * a JwtModule that a module imports wins, whatever the order.
 */
@Module({})
class JwtServiceModule {}

/** @param core - What AuthModule itself imports: the ring and the revocation. */
export function jwtServiceModule(core: DynamicModule): DynamicModule {
  return {
    module: JwtServiceModule,
    global: true,
    imports: [core],
    providers: [PROVIDER, OnlyGlobalJwtService],
    exports: [JwtService],
  };
}
