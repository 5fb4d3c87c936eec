import {
  type DynamicModule,
  Injectable,
  Module,
  type OnModuleInit,
  type Provider,
  Scope,
} from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import { apiTokenSweep } from './api-tokens/api-token-sweep.js';
import { KeyRing } from './authentication/key-ring.js';
import { AuthWiringError } from './errors/auth-wiring.error.js';
import { AuthEvents } from './events/auth-events.service.js';
import { AuthMeter } from './events/auth-meter.service.js';
import type { AuthOptions } from './options/auth-options.js';
import {
  RAW_AUTH_OPTIONS,
  type RegisteredCalls,
  resolveAuthOptions,
  ResolvedAuthOptions,
} from './options/resolved-auth-options.js';
import { AuthClock } from './platform/auth-clock.js';
import { type InjectedProvider, injectedInto } from './platform/module-graph.js';
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

/**
 * Checks the dependencies of the options before Nest resolves them. It finds two mistakes that Nest does
 * not report, or not in a way that helps:
 *
 * - a cycle: Nest 11 waits forever, so the process exits with code 0 and no message;
 * - a request-scoped provider: all providers of the library would become request-scoped too.
 */
@Injectable()
class InjectionCheck {
  /** @throws AuthWiringError which lists the providers from the options to the mistake. */
  constructor(reference: ModuleRef) {
    // Not injected: Nest would search every import for ModulesContainer first. Nest 12 would report the
    // cycle during this search, without our advice. A module has its ModuleRef from the start.
    const modules = reference.get(ModulesContainer, { strict: false });
    for (const module of modules.values()) {
      const wrapper = module.providers.get(RAW_AUTH_OPTIONS);
      if (wrapper !== undefined) inspect({ module, wrapper }, [], new Set());
    }
  }
}

/** Follows the injected providers, depth first. `path` is how it got here, for the error message. */
function inspect(at: InjectedProvider, path: readonly string[], seen: Set<unknown>): void {
  for (const next of injectedInto(at)) {
    const { wrapper } = next;
    if (wrapper.token === RAW_AUTH_OPTIONS) throw cycle(path);
    if (seen.has(wrapper)) continue;
    seen.add(wrapper);
    const names = [...path, String(wrapper.name)];
    if (wrapper.scope === Scope.REQUEST) throw requestScoped(names);
    inspect(next, names, seen);
  }
}

function cycle(path: readonly string[]): AuthWiringError {
  const named = path[0] ?? 'the service';
  return new AuthWiringError(
    `The options of AuthModule wait for themselves: options → ${path.join(' → ')} → options.`,
    `Name the class beside useFactory instead of injecting it: AuthModule.forRootAsync({ useFactory, claims: ${named} }), ` +
      'or validate, or http: { verifyCredentials }. Its instance is looked up after all instances were made.',
    'Inject into useFactory only what the options need themselves, such as ConfigService.',
  );
}

/** Nest would make options, keys and index anew for each request, and the index would start empty. */
function requestScoped(path: readonly string[]): AuthWiringError {
  const named = path.at(-1) ?? '';
  return new AuthWiringError(
    `The options of AuthModule are made once, but they wait for ${named}, which is made for each ` +
      `request (request-scoped or durable): options → ${path.join(' → ')}.`,
    `Leave ${named} out of inject: options are the same for all requests.`,
    'What depends on the request belongs into validate(claims, request) or into claims(subject, context).',
  );
}

/**
 * Looks up the providers that the options `claims` and `validate` name. This waits until all instances
 * exist, so that these providers may inject `LogoutService`.
 */
@Injectable()
class ApplicationMethods implements OnModuleInit {
  constructor(private readonly options: ResolvedAuthOptions) {}

  /** @throws AuthWiringError if a class is not a provider, or does not have the method. */
  onModuleInit(): void {
    this.options.claims?.find();
    this.options.validate?.find();
  }
}

const PROVIDERS: Provider[] = [
  ApplicationMethods,
  AuthClock,
  AuthEvents,
  AuthMeter,
  {
    provide: EventKeys,
    inject: [ResolvedAuthOptions],
    useFactory: ({ issuer }: ResolvedAuthOptions) => new EventKeys(issuer),
  },
  {
    provide: RevocationIndex,
    inject: [EventKeys],
    useFactory: (keys: EventKeys) => new RevocationIndex(keys),
  },
  {
    provide: KeyRing,
    inject: [ResolvedAuthOptions, RevocationIndex, ProofClock],
    useFactory: KeyRing.create,
  },
  {
    provide: PURGE_SWEEPS,
    inject: [SessionStore, ResolvedAuthOptions],
    useFactory: (store: SessionStore, options: ResolvedAuthOptions) => [
      // This sweep is first: it reads the cut-offs of accounts, which the sweep of sessions deletes.
      ...(options.apiTokens === undefined ? [] : [apiTokenSweep(store, options)]),
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

/**
 * What AuthModule and the JwtModule inside it share: options, keys, and everything about revocation. It is
 * a module of its own because a module cannot inject the providers of the module that imports it.
 */
@Module({})
class AuthCoreModule {}

/**
 * Builds the core module.
 *
 * @param providers - The provider of the raw options, as ConfigurableModuleBuilder made it.
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
        provide: ResolvedAuthOptions,
        inject: [RAW_AUTH_OPTIONS, ModuleRef],
        useFactory: (options: AuthOptions, modules: ModuleRef) =>
          resolveAuthOptions(options, registered, modules),
      },
      ...PROVIDERS,
    ],
    exports: [ResolvedAuthOptions, ...PROVIDERS],
  };
}
