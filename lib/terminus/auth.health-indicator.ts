import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { RevocationService, type RevocationStatus } from '../revocation/revocation.service.js';

/** The options of {@link AuthHealthIndicator.isReady}. @publicApi */
export interface ReadinessOptions {
  /**
   * Whether an instance is `down` when it was ready and can no longer prove that it is fresh.
   *
   * Leave it off behind a load balancer. During a failover of the database all instances are stale at the
   * same time. If the load balancer took all of them out of service, public routes would fail too.
   *
   * @default false
   */
  readonly failWhenStale?: boolean | undefined;
}

/** The details of a check. Health endpoints are often public, so there is no actor of an override in them. */
interface Details {
  /**
   * `writes only`: a process with `follow: false`. Its logins and logouts work, and its guards answer 503.
   */
  readonly state: 'loading' | 'fresh' | 'stale' | 'writes only';
  /** Seconds since the last proof of freshness; `null` before the first. */
  readonly staleness: number | null;
  /** The last position of the log that this instance has applied. */
  readonly position: number;
  /** The number of revocations in memory. */
  readonly entries: number;
  /** The state of the push notifications. */
  readonly hint: string;
  /** Whether the log contradicts what this instance knows. Then no failure policy accepts a token. */
  readonly contradicted: boolean;
  readonly overriddenUntil: Date | null;
  readonly observingUntil: Date | null;
}

/** The object that terminus returns for a key. `degraded` exists since terminus 12. */
interface Session {
  up(details: Details): HealthIndicatorResult;
  down(details: Details): HealthIndicatorResult;
  degraded?(details: Details): HealthIndicatorResult;
}

/**
 * Health checks of this instance for `@nestjs/terminus`: one for liveness and one for readiness. They only
 * read memory, without a query, so they can run as often as you like. Their details contain no user ids.
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
   * Liveness: `up` as long as this process answers, even without its database. A restart would not help: the
   * instance would lose the revocations that it knows, and would have to load them again.
   *
   * @param key - The name of the check in the response. Default `'revocation'`.
   */
  isAlive(key = 'revocation'): HealthIndicatorResult {
    return this.of(key).up(this.details());
  }

  /**
   * Readiness: `down` until the log is loaded. An instance that becomes stale later stays in service:
   * `degraded` with terminus 12, and `up` with `state: 'stale'` in the details with terminus 11. Its guards
   * follow the option `whenStale`, 503 by default.
   *
   * @param key - The name of the check in the response. Default `'revocation'`.
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
