import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { RevocationService, type RevocationStatus } from '../revocation/revocation.service.js';

/** What {@link AuthHealthIndicator.isReady} may be asked beside its key. */
export interface ReadinessOptions {
  /**
   * Whether an instance that was ready and can no longer prove that it is fresh is `down`. Default
   * `false`: during a failover of the database every instance is stale at the same moment. A load balancer
   * that took all of them out of service would turn 503s of guarded routes into an outage of everything.
   */
  readonly failWhenStale?: boolean | undefined;
}

/** What the health of an instance shows: this may be public, so no actor of an override is in it. */
interface Details {
  /** `writes only`: a process with `follow: false`, whose guards refuse; its logins and logouts work. */
  readonly state: 'loading' | 'fresh' | 'stale' | 'writes only';
  /** Seconds since the last proof; `null` while there is none. */
  readonly staleness: number | null;
  readonly position: number;
  readonly entries: number;
  readonly hint: string;
  /** Whether the log contradicts what is known here: then no failure policy accepts anything. */
  readonly contradicted: boolean;
  readonly overriddenUntil: Date | null;
  readonly observingUntil: Date | null;
}

/** What terminus returns for a key; `degraded` since its version 12. */
interface Session {
  up(details: Details): HealthIndicatorResult;
  down(details: Details): HealthIndicatorResult;
  degraded?(details: Details): HealthIndicatorResult;
}

/**
 * The state of the revocations on this instance, for `@nestjs/terminus`: one check for liveness and one for
 * readiness. Both read memory only, without a query, so they can run as often as you like. The details have
 * no id of a user.
 *
 * @example
 * ```ts
 * @Controller('health')
 * export class HealthController {
 *   constructor(
 *     private readonly health: HealthCheckService,
 *     private readonly auth: AuthHealthIndicator,
 *   ) {}
 *
 *   @Get('live') @HealthCheck()
 *   live() {
 *     return this.health.check([() => this.auth.isAlive()]);
 *   }
 *
 *   @Get('ready') @HealthCheck()
 *   ready() {
 *     return this.health.check([() => this.auth.isReady()]);
 *   }
 * }
 *
 * @Module({
 *   imports: [TerminusModule],
 *   controllers: [HealthController],
 *   providers: [AuthHealthIndicator],
 * })
 * export class HealthModule {}
 * ```
 * @publicApi
 */
@Injectable()
export class AuthHealthIndicator {
  constructor(
    private readonly revocation: RevocationService,
    private readonly indicators: HealthIndicatorService,
  ) {}

  /**
   * Liveness: `up` as long as this process answers, with or without its database. A restart fixes no state
   * of the revocations, and the instance knows less after it.
   *
   * @param key - The name of the answer. Default `'revocation'`.
   */
  isAlive(key = 'revocation'): HealthIndicatorResult {
    return this.of(key).up(this.details());
  }

  /**
   * Readiness: `down` until the first complete load. An instance that is stale later stays in service:
   * `degraded` with terminus 12, with terminus 11 `up` and `state: 'stale'` in the details. Its guards
   * do what the failure policy says, 503 by default.
   *
   * @param key - The name of the answer. Default `'revocation'`.
   */
  isReady(
    key = 'revocation',
    { failWhenStale = false }: ReadinessOptions = {},
  ): HealthIndicatorResult {
    const details = this.details();
    const session = this.of(key);
    if (details.state === 'fresh' || details.state === 'writes only') return session.up(details);
    if (details.state === 'loading' || failWhenStale) return session.down(details);
    return session.degraded?.(details) ?? session.up(details);
  }

  private details(): Details {
    const status: RevocationStatus = this.revocation.status();
    const { staleness, position, entries } = status;
    return {
      state: stateOf(status),
      staleness,
      position,
      entries,
      hint: status.hint ?? 'off',
      contradicted: status.contradicted ?? false,
      overriddenUntil: status.override?.until ?? null,
      observingUntil: status.observingUntil ?? null,
    };
  }

  private of(key: string): Session {
    return this.indicators.check(key) as unknown as Session;
  }
}

function stateOf({ following, ready, fresh }: RevocationStatus): Details['state'] {
  if (following === false) return 'writes only';
  if (!ready) return 'loading';
  return fresh ? 'fresh' : 'stale';
}
