import {
  type DynamicModule,
  Inject,
  Injectable,
  Module,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { KeyRing } from './authentication/key-ring.js';
import { AuthEvents } from './events/auth-events.service.js';
import { AuthMeter } from './events/auth-meter.service.js';
import type { AuthOptions } from './options/auth-options.js';
import { InjectionCheck } from './options/injection-check.js';
import {
  RAW_AUTH_OPTIONS,
  type RegisteredCalls,
  resolveAuthOptions,
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from './options/resolved-auth-options.js';
import { AuthClock } from './platform/auth-clock.js';
import { LogCursor } from './revocation/feed/log-cursor.js';
import { LogFollower } from './revocation/feed/log-follower.js';
import { RevocationFeed } from './revocation/feed/revocation-feed.service.js';
import { EventKeys } from './revocation/index/event-key.js';
import { RevocationIndex } from './revocation/index/revocation-index.js';
import { ClockCheck } from './revocation/log/clock-check.service.js';
import { PURGE_SWEEPS, RevocationPurge } from './revocation/log/revocation-purge.service.js';
import { ProofClock } from './revocation/staleness/proof-clock.js';
import { SessionStore } from './sessions/session-store.service.js';
import { sessionSweep } from './sessions/session-sweep.js';
import { LogConnection } from './revocation/log/log-connection.service.js';
import { LogPositions } from './revocation/log/log-positions.service.js';
import { RevocationLog } from './revocation/log/revocation-log.service.js';
import { PushLink } from './revocation/push/push-link.service.js';
import { RevocationDecider } from './revocation/revocation-decider.service.js';
import { RevocationLifecycle } from './revocation/revocation.lifecycle.js';
import { RevocationService } from './revocation/revocation.service.js';
import { StalePolicies } from './revocation/staleness/stale-policies.service.js';
import { StalenessOverrides } from './revocation/staleness/staleness-override.service.js';
import { VerdictReporter } from './revocation/verdict-reporter.service.js';

/** Looks up the classes that options name (`claims`, `validate`), once all instances were made. */
@Injectable()
class ApplicationMethods implements OnModuleInit {
  constructor(@Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions) {}

  /** @throws AuthWiringError when a class is no provider, or has no such method. */
  onModuleInit(): void {
    this.options.claims?.find();
    this.options.validate?.find();
  }
}

const EXPORTS = [
  RESOLVED_AUTH_OPTIONS,
  AuthClock,
  AuthEvents,
  AuthMeter,
  EventKeys,
  LogConnection,
  LogPositions,
  KeyRing,
  LogCursor,
  ProofClock,
  RevocationDecider,
  RevocationFeed,
  RevocationIndex,
  RevocationLog,
  RevocationPurge,
  RevocationService,
  SessionStore,
  StalePolicies,
];

const PROVIDERS: Provider[] = [
  ApplicationMethods,
  AuthClock,
  AuthEvents,
  AuthMeter,
  {
    provide: EventKeys,
    inject: [RESOLVED_AUTH_OPTIONS],
    useFactory: ({ issuer }: ResolvedAuthOptions) => new EventKeys(issuer),
  },
  {
    provide: RevocationIndex,
    inject: [EventKeys],
    useFactory: (keys: EventKeys) => new RevocationIndex(keys),
  },
  {
    provide: KeyRing,
    inject: [RESOLVED_AUTH_OPTIONS, RevocationIndex, ProofClock],
    useFactory: KeyRing.create,
  },
  {
    provide: PURGE_SWEEPS,
    inject: [SessionStore, RESOLVED_AUTH_OPTIONS],
    useFactory: (store: SessionStore, options: ResolvedAuthOptions) => [
      sessionSweep(store, options),
    ],
  },
  LogConnection,
  ProofClock,
  ClockCheck,
  SessionStore,
  LogCursor,
  LogFollower,
  RevocationFeed,
  RevocationLog,
  LogPositions,
  RevocationPurge,
  RevocationDecider,
  VerdictReporter,
  RevocationService,
  StalePolicies,
  StalenessOverrides,
  PushLink,
  RevocationLifecycle,
];

/** What AuthModule and the JwtModule inside it share: options, keys, and the revocation room. */
@Module({})
class AuthCoreModule {}

/**
 * @param providers - The provider of the raw options, as the module builder made it.
 * @param registered - The options that were given beside `useFactory`.
 */
export function authCoreModule(
  imports: NonNullable<DynamicModule['imports']>,
  providers: Provider[],
  registered: RegisteredCalls,
): DynamicModule {
  return {
    module: AuthCoreModule,
    imports,
    providers: [
      InjectionCheck,
      ...providers,
      {
        provide: RESOLVED_AUTH_OPTIONS,
        inject: [RAW_AUTH_OPTIONS, ModuleRef],
        useFactory: (options: AuthOptions, modules: ModuleRef) =>
          resolveAuthOptions(options, registered, modules),
      },
      ...PROVIDERS,
    ],
    exports: EXPORTS,
  };
}
