import { Inject, Injectable, Logger } from '@nestjs/common';
import { AuthClock } from '../context/auth-clock.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthEvents } from '../events/auth-events.service.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { type StalePolicy, UNBOUNDED } from '../options/stale-policy.js';
import { EventKeys } from './event-key.js';
import { assertDecidable } from './foreign-token.js';
import { ProvisionalEvents } from './provisional-events.js';
import { RepeatedWarning } from './repeated-warning.js';
import type { TokenIdentity } from './revocation-event.js';
import { RevocationFeed } from './revocation-feed.service.js';
import { RevocationIndex } from './revocation-index.js';
import { codeOf, exceptionOf } from './revocation.exceptions.js';
import { StalePolicies } from './stale-policies.service.js';
import {
  type OverrideStatus,
  type StalenessOverride,
  StalenessOverrides,
} from './staleness-override.service.js';
import type { Freshness, VerifiedClaims } from './token-claims.js';
import { ACTIVE, INVALID, LENIENT, type UnknownVerdict, type Verdict } from './verdict.js';

/** Stands where a route, or whoever calls, has said by name that nothing loosens it. */
const NEVER = 0;

/** What a decision may ask for beside the claims. */
export interface DecisionOptions {
  /** Only tightens what the module says; what is asked for here, no policy of the module loosens. */
  readonly freshness?: Freshness | undefined;
  /** What becomes of the token while nothing can be proven; default: the option `whenStale`. */
  readonly whenStale?: StalePolicy | undefined;
  /** The `kid` of the key that verified the token. */
  readonly kid?: string | undefined;
}

/** What this instance knows, for a health check. */
export interface RevocationStatus {
  /** Whether the first complete load is done; before it every guarded request gets 503. */
  readonly ready: boolean;
  /** Whether a request would be decided now, without waiting. */
  readonly fresh: boolean;
  /** Seconds since the last proof of freshness; `null` while there is none. */
  readonly staleness: number | null;
  /** The last position of the log that was applied here. */
  readonly position: number;
  /** Live revocations in memory. */
  readonly entries: number;
  /** `false`: a process that only writes (option `follow`); its guards answer 503, always. */
  readonly following: boolean;
  /**
   * Whether the log contradicted what is known here, or is one that this release cannot read: until the
   * next proof every guarded request gets 503, whatever a failure policy says.
   */
  readonly contradicted: boolean;
  /** The module's failure policy; in seconds where it has an end. */
  readonly whenStale: StalePolicy;
  /** What an operator loosened on this instance, or `null`. */
  readonly override: OverrideStatus | null;
  /** Until when revocations are only observed, not enforced; `null` when they are. */
  readonly observingUntil: Date | null;
}

/**
 * Answers the one question about a token's claims: still good?
 *
 * In the steady state the answer is synchronous: no query, no promise, no allocation.
 *
 * @example An application with its own passport strategy adds one line to its `validate()`:
 * ```ts
 * async validate(payload: TokenClaims) {
 *   await this.revocation.assertActive(payload);
 *   return { id: payload.sub };
 * }
 * ```
 * @publicApi
 */
@Injectable()
export class RevocationService {
  private readonly kidKeys = new Map<string, string>();
  private readonly unknown: UnknownVerdict;
  private readonly staleWarning: RepeatedWarning;
  private readonly observeWarning: RepeatedWarning;

  constructor(
    private readonly index: RevocationIndex,
    private readonly feed: RevocationFeed,
    private readonly provisional: ProvisionalEvents,
    private readonly keys: EventKeys,
    private readonly events: AuthEvents,
    private readonly meter: AuthMeter,
    private readonly policies: StalePolicies,
    private readonly overrides: StalenessOverrides,
    clock: AuthClock,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {
    const logger = new Logger('RevocationService');
    const warn = (message: string): void => logger.warn(message);
    this.staleWarning = new RepeatedWarning(clock, warn);
    this.observeWarning = new RepeatedWarning(clock, warn);
    this.unknown = Object.freeze({
      state: 'unknown',
      retryAfter: Math.max(1, Math.ceil(options.maxStaleness / 4_000)),
    });
  }

  /**
   * Throws unless the token of these claims is good.
   *
   * The claims must have been verified; those of a foreign issuer must be of one that is registered.
   *
   * @throws AuthUnauthorizedException `token_revoked`, `session_ended`, `key_revoked`, or
   * `token_invalid` for an issuer that nobody registered.
   * @throws AuthUnavailableException `revocation_state_unknown` when it cannot be told: let it pass
   * through as a 503, never turn it into "not revoked".
   */
  async assertActive(claims: VerifiedClaims, options?: DecisionOptions): Promise<void> {
    try {
      assertDecidable(claims, this.options, this.now());
      const verdict = await this.decide(claims, options);
      if (verdict.state !== 'active') throw exceptionOf(verdict);
    } catch (error) {
      this.meter.refuse(error);
      throw error;
    }
  }

  /**
   * What {@link assertActive} asks, as a value; synchronous while the last proof is fresh enough.
   *
   * @throws AuthWiringError for a failure policy that is wider than any that was found at boot, or that
   * contradicts `'strict'`.
   */
  decide(claims: TokenIdentity, options?: DecisionOptions): Verdict | Promise<Verdict> {
    const freshness = options?.freshness;
    const upTo = this.toleranceOf(freshness, options?.whenStale);
    const kidKey = options?.kid === undefined ? undefined : this.kidKeyOf(options.kid);
    const known = this.look(claims, kidKey);
    if (known !== undefined) return this.pronounce(known, claims);
    if (freshness === 'strict' || this.isAhead(claims)) {
      return this.decideStrictly(claims, kidKey, upTo).then((verdict) =>
        this.pronounce(verdict, claims),
      );
    }
    const staleness = this.stalenessOf(freshness);
    if (this.feed.isFresh(staleness)) return ACTIVE;
    return this.decideAfterPoll(claims, kidKey, staleness, upTo).then((verdict) =>
      this.pronounce(verdict, claims),
    );
  }

  /** Whether the key of this `kid` was revoked: what it signed proves nothing, not even who logs out. */
  isKeyRevoked(kid: string): boolean {
    return this.index.findKey(this.kidKeyOf(kid)) !== undefined;
  }

  /** The library's one `now` (epoch ms), never behind the database, for the expiry of tokens (T1). */
  now(): number {
    return this.feed.now();
  }

  /** What this instance knows. */
  status(): RevocationStatus {
    const { staleness } = this.feed;
    return {
      ready: this.feed.ready,
      fresh: this.feed.isFresh(),
      staleness: Number.isFinite(staleness) ? Math.round(staleness) / 1000 : null,
      position: this.feed.position,
      entries: this.index.stats().entries,
      following: this.options.follow,
      contradicted: this.feed.contradicted,
      whenStale: policyOf(this.options),
      override: this.overrides.status,
      observingUntil: this.isObserving() ? new Date(this.options.observeUntil ?? 0) : null,
    };
  }

  /**
   * Lets **this instance** accept by an older proof for a while: what an operator does, without a
   * deploy and without the database, when being up matters more than a logout.
   *
   * It loosens what has no say of its own and what a policy has loosened already; never a route with
   * `@Freshness()` alone or `@WhenStale('closed')`, never before the first load, and never after the log
   * contradicted what is known here. What is known to be revoked stays refused. It is logged, told as
   * `staleness_override`, and replaces the one before.
   *
   * @throws AuthWiringError without the option `overrideCeiling`, or above it.
   * @throws AuthException 400 `invalid_request` for an end that is past or more than 24 hours ahead, and
   * without an actor.
   * @example
   * ```ts
   * const until = new Date(Date.now() + 3_600_000);
   * this.revocation.override({ staleFor: '30m', until, actor: 'on call: dora' });
   * ```
   */
  override(override: StalenessOverride): void {
    this.overrides.begin(override);
  }

  /** Ends the override of this instance before its time; does nothing where there is none. */
  endOverride(actor: string): void {
    this.overrides.end(actor);
  }

  private look(claims: TokenIdentity, kidKey: string | undefined): Verdict | undefined {
    const hit = this.index.find(claims, kidKey);
    if (hit !== undefined) return hit;
    if (this.provisional.size > 0 && this.provisional.concerns(claims, kidKey)) return this.unknown;
    return undefined;
  }

  /** G5: its position was read after everything this instance has heard of. */
  private isAhead({ gen, iss }: TokenIdentity): boolean {
    return gen !== undefined && gen > this.feed.position && iss === this.keys.ownIssuer;
  }

  /** @param upTo - The staleness (ms) that is tolerated while there is no proof. */
  private async decideStrictly(
    claims: TokenIdentity,
    kidKey: string | undefined,
    upTo: number,
  ): Promise<Verdict> {
    if (this.feed.failing) return this.withoutProof(upTo);
    const isProven = await this.feed.strictProof();
    const known = this.look(claims, kidKey);
    if (known !== undefined) return known;
    if (isProven && this.feed.isFresh() && this.isAhead(claims)) {
      // Of a history that was lost, or of another log with our secret. Merely to refuse would turn to
      // accepting when later traffic raises the head (G5).
      return this.feed.hasJumpedFor(claims.gen ?? 0) ? INVALID : this.unknown;
    }
    return this.after(isProven, claims, upTo);
  }

  private async decideAfterPoll(
    claims: TokenIdentity,
    kidKey: string | undefined,
    staleness: number,
    upTo: number,
  ): Promise<Verdict> {
    if (this.feed.failing || this.options.staleWait === 0) return this.withoutProof(upTo);
    const arrived = this.feed.monotonic();
    await this.feed.proofWithin(staleness, this.options.staleWait);
    const known = this.look(claims, kidKey);
    if (known !== undefined) return known;
    // A proof that was sent after the request came is as fresh as one can be, however tight the wish.
    const isProven = this.feed.isFresh(staleness) || this.feed.provenSince(arrived);
    return this.after(isProven, claims, upTo);
  }

  private after(isProven: boolean, claims: TokenIdentity, upTo: number): Verdict {
    if (isProven && this.isAhead(claims)) return this.unknown;
    return isProven && this.feed.isFresh() ? ACTIVE : this.withoutProof(upTo);
  }

  /**
   * What a policy says. Before the first load and after a contradiction there is no proof of any age,
   * so none lets anything pass then (P4, H1).
   */
  private withoutProof(upTo: number): Verdict {
    if (upTo === NEVER) return this.unknown;
    if (upTo > this.options.maxStaleness && this.feed.isFresh(upTo)) {
      return upTo >= UNBOUNDED ? LENIENT.open : LENIENT.stale_for;
    }
    const overridden = this.overrides.upTo;
    return overridden > 0 && this.feed.isFresh(overridden) ? LENIENT.override : this.unknown;
  }

  private toleranceOf(freshness: Freshness | undefined, policy: StalePolicy | undefined): number {
    if (policy === undefined) return freshness === undefined ? this.options.whenStale : NEVER;
    if (policy === 'closed') return NEVER;
    if (freshness === 'strict') {
      throw new AuthWiringError(
        'A strict decision was asked for together with a failure policy that accepts without a proof.',
        'Leave whenStale out where freshness is strict.',
      );
    }
    return this.policies.upTo(policy);
  }

  /** What leaves this room, beside the plain good answer: told, and let pass while only observing. */
  private pronounce(verdict: Verdict, { sub: subject, sid: sessionId }: TokenIdentity): Verdict {
    if (verdict.state === 'active') {
      const { leniency: reason } = verdict;
      if (reason === undefined) return verdict;
      const age = Math.round(this.feed.staleness / 1000);
      this.staleWarning.say(`A request was accepted by a proof ${age} s old (${reason}).`);
      this.meter.count('staleAccepted', reason);
      this.events.tell({ type: 'accepted_stale', subject, sessionId, reason });
      return verdict;
    }
    if (this.isObserving()) {
      const reason = codeOf(verdict);
      this.observeWarning.say(
        `A request was let pass that will be refused with ${reason} (observe).`,
      );
      this.meter.count('staleAccepted', 'observe');
      this.events.tell({ type: 'observed', subject, sessionId, reason });
      return LENIENT.observe;
    }
    if (verdict.state === 'unknown') {
      const type = 'revocation_state_unknown';
      this.events.tell({ type, subject, sessionId, reason: type });
    }
    return verdict;
  }

  /** Not before the first load: until then nobody's receipt knows of it. */
  private isObserving(): boolean {
    const { observeUntil } = this.options;
    return observeUntil !== undefined && this.feed.ready && this.feed.now() < observeUntil;
  }

  private stalenessOf(freshness: number | undefined): number {
    const { maxStaleness } = this.options;
    return freshness === undefined ? maxStaleness : Math.min(freshness * 1000, maxStaleness);
  }

  /** Kids come from the key ring, after the signature was verified, so there are only a few. */
  private kidKeyOf(kid: string): string {
    let key = this.kidKeys.get(kid);
    if (key === undefined) {
      key = this.keys.hex('key', '', kid);
      if (this.kidKeys.size >= 1_000) this.kidKeys.clear();
      this.kidKeys.set(kid, key);
    }
    return key;
  }
}

function policyOf({ whenStale, maxStaleness }: ResolvedAuthOptions): StalePolicy {
  if (whenStale >= UNBOUNDED) return 'open';
  return whenStale > maxStaleness ? { staleFor: whenStale / 1000 } : 'closed';
}
