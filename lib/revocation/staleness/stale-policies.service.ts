import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { AuthWiringError } from '../../errors/auth-wiring.error.js';
import { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import {
  isProduction,
  parseStalePolicy,
  type StalePolicy,
  UNBOUNDED,
} from '../../options/operation-settings.js';
import { AuthClock } from '../../platform/auth-clock.js';
import { handlerClassesOf } from '../../platform/module-graph.js';
import { policyOn, routeDemandOf, type RouteTarget } from './freshness.decorators.js';
import { toleranceText } from './proof-clock.js';

/** A failure policy of the application, and where it was found. */
interface FoundPolicy {
  /** A class, or a class and its method. */
  readonly route: string;
  readonly upTo: number;
}

/**
 * Finds every failure policy of the application at boot. The widest one is registered in the head
 * before this instance serves (H4), so that no receipt promises an earlier time than this instance
 * keeps.
 */
@Injectable()
export class StalePolicies implements OnModuleInit {
  private readonly logger = new Logger('AuthModule');
  private readonly parsed = new WeakMap<object, number>();
  private ofRoutes = 0;
  /**
   * The widest staleness (ms) at which this instance may ever accept; {@link UNBOUNDED} for 'open'.
   * {@link update} sets it. It is a field and not computed, because each logout reads it.
   */
  widest = 0;

  constructor(
    private readonly modules: ModulesContainer,
    private readonly clock: AuthClock,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /** @throws AuthWiringError for an invalid policy, and for 'open' in production without `openAcknowledgedBy`. */
  onModuleInit(): void {
    const found = this.find();
    this.ofRoutes = Math.max(0, ...found.map(({ upTo }) => upTo));
    this.update();
    if (this.options.follow) this.announce(found);
  }

  /**
   * Recomputes {@link widest}. It is called at boot and at each poll, because observing ends at a
   * given time.
   */
  update(): void {
    const { follow, maxStaleness, whenStale, overrideCeiling = 0 } = this.options;
    if (!follow) return;
    this.widest = this.isObserving()
      ? UNBOUNDED
      : Math.max(maxStaleness, whenStale, overrideCeiling, this.ofRoutes);
  }

  /**
   * Whether observing may still go on, by the wall clock. `ProofClock.now()` is never behind it, so
   * no decision observes longer than this.
   */
  private isObserving(): boolean {
    const { observeUntil } = this.options;
    return observeUntil !== undefined && this.clock.wall() < observeUntil;
  }

  /**
   * How much staleness (ms) a policy accepts.
   *
   * @throws AuthWiringError for a policy that is wider than all that were found at boot, because
   * receipts do not include it.
   */
  upTo(policy: StalePolicy): number {
    // A process that does not follow the log has no proof of any age, so no policy accepts anything.
    if (policy === 'closed' || !this.options.follow) return this.options.maxStaleness;
    const upTo = this.parse(policy, 'a call');
    this.update(); // Observing may have ended since the last poll.
    if (upTo > this.widest) {
      throw new AuthWiringError(
        `The failure policy ${shown(policy)} is wider than what this instance registered at boot, so receipts would promise too much.`,
        'Put @WhenStale() on a class or handler that exists at boot: a controller, gateway or provider.',
        'Or register the wider policy for the whole module: the option whenStale, or overrideCeiling.',
      );
    }
    return upTo;
  }

  private parse(policy: StalePolicy, where: string): number {
    if (policy === 'open') {
      this.assertAcknowledged(where);
      return UNBOUNDED;
    }
    const known = typeof policy === 'object' ? this.parsed.get(policy) : undefined;
    if (known !== undefined) return known;
    const parsed = parseStalePolicy(policy, this.options.maxStaleness);
    if (typeof parsed !== 'number') {
      throw new AuthWiringError(
        `The failure policy ${shown(policy)} of ${where} cannot be used.`,
        parsed.fix,
      );
    }
    if (typeof policy === 'object') this.parsed.set(policy, parsed);
    return parsed;
  }

  private assertAcknowledged(where: string): void {
    if (this.options.openAcknowledgedBy !== undefined || !isProduction()) return;
    throw new AuthWiringError(
      `The failure policy 'open' of ${where} accepts revoked tokens while freshness cannot be proven, and openAcknowledgedBy does not say who decided that.`,
      'Name who decided it: AuthModule.forRoot({ openAcknowledgedBy: … }).',
      "Or limit it: { staleFor: '10m' }.",
    );
  }

  /**
   * Reads the policies of the classes and methods of all controllers, gateways, resolvers and other
   * providers.
   */
  private find(): FoundPolicy[] {
    const found: FoundPolicy[] = [];
    for (const { type, methods } of handlerClassesOf(this.modules)) {
      this.note(type, type.name, found);
      for (const [name, method] of methods) {
        routeDemandOf(method, type); // throws if @Freshness() and @WhenStale() contradict each other
        this.note(method, `${type.name}.${name}`, found);
      }
    }
    return found;
  }

  private note(target: RouteTarget, route: string, found: FoundPolicy[]): void {
    const policy = policyOn(target);
    if (policy === undefined || policy === 'closed') return;
    found.push({ route, upTo: this.parse(policy, route) });
  }

  private announce(found: readonly FoundPolicy[]): void {
    const { maxStaleness, whenStale, overrideCeiling, observeUntil, openAcknowledgedBy } =
      this.options;
    const loose = [...found];
    if (whenStale > maxStaleness) loose.unshift({ route: 'the module', upTo: whenStale });
    if (overrideCeiling !== undefined) loose.push({ route: 'an override', upTo: overrideCeiling });
    if (loose.length > 0) {
      const places = loose.map(({ route, upTo }) => `${route} ${toleranceText(upTo)}`).join(', ');
      const decided = openAcknowledgedBy === undefined ? '' : ` Decided by ${openAcknowledgedBy}.`;
      this.logger.warn(
        `Revoked tokens may be accepted while freshness cannot be proven: ${places}. Every receipt includes that time.${decided}`,
      );
    }
    if (observeUntil !== undefined && this.isObserving()) {
      const until = new Date(observeUntil).toISOString();
      this.logger.warn(
        `No logout takes effect here: revocations are only observed until ${until}.`,
      );
    }
  }
}

function shown(policy: unknown): string {
  return JSON.stringify(policy) ?? String(policy);
}
