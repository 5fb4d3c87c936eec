import { Injectable } from '@nestjs/common';
import { AuthMeter } from '../events/auth-meter.service.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { HintState } from '../options/revocation-hint.js';
import { type StalePolicy, stalePolicyOf } from '../options/operation-settings.js';
import type { TokenIdentity, VerifiedClaims } from '../options/token-claims.js';
import { LogCursor } from './feed/log-cursor.js';
import { RevocationFeed } from './feed/revocation-feed.service.js';
import { RevocationIndex } from './index/revocation-index.js';
import { PushLink } from './push/push-link.service.js';
import { type DecisionOptions, RevocationDecider } from './revocation-decider.service.js';
import { ProofClock } from './staleness/proof-clock.js';
import {
  type OverrideStatus,
  type StalenessOverride,
  StalenessOverrides,
} from './staleness/staleness-override.service.js';
import { assertDecidable, assertInTime, identityOf } from './token-identity.js';
import { VerdictReporter } from './verdict-reporter.service.js';
import { assertActive, type Verdict } from './verdict.js';

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
  /** Whether hints arrive here; see {@link HintState}. */
  readonly hint: HintState;
}

/** What {@link RevocationService.assertActive} may be asked beside the claims. @publicApi */
export interface AssertActiveOptions extends DecisionOptions {
  /**
   * Also refuses claims that have expired or are not valid yet, by the library's clock and
   * `clockTolerance`: for claims whose verifier does not look at them.
   *
   * @default false
   */
  readonly checkTimes?: boolean | undefined;
  /**
   * The token's text as it was verified. A token that has neither `jti` nor `sid`, of whichever issuer,
   * needs it and is refused without: its logout could not be seen. The claims are those that were signed;
   * others may be added.
   */
  readonly token?: string | undefined;
}

/**
 * Answers the one question about a token's claims: still good?
 *
 * In the steady state the answer is synchronous: no query, no promise, no allocation.
 *
 * @example An application with its own passport strategy adds two lines to its `validate()`:
 * ```ts
 * async validate(request: Request, payload: TokenClaims) { // passReqToCallback: true
 *   const token = ExtractJwt.fromAuthHeaderAsBearerToken()(request);
 *   await this.revocation.assertActive(payload, { kid: kidOf(token) });
 *   return { id: payload.sub };
 * }
 * ```
 * @publicApi
 */
@Injectable()
export class RevocationService {
  constructor(
    private readonly decider: RevocationDecider,
    private readonly reporter: VerdictReporter,
    private readonly index: RevocationIndex,
    private readonly feed: RevocationFeed,
    private readonly cursor: LogCursor,
    private readonly meter: AuthMeter,
    private readonly overrides: StalenessOverrides,
    private readonly proofs: ProofClock,
    private readonly push: PushLink,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * Throws unless the token of these claims is good.
   *
   * The claims must have been verified; those of a foreign issuer must be of one that is registered.
   * Their signature, `exp` and `nbf` are the business of whatever verified them: an expired token is
   * refused here only a minute after its end, or at its end with `checkTimes`.
   *
   * @throws AuthUnauthorizedException `token_revoked`, `session_ended`, `key_revoked`,
   * `token_expired`, or `token_invalid` for an issuer that is not registered.
   * @throws AuthUnavailableException `revocation_state_unknown` when this instance cannot know. Let it
   * become a 503; never turn it into "not revoked".
   */
  async assertActive(given: VerifiedClaims, options?: AssertActiveOptions): Promise<void> {
    try {
      const claims = this.identify(given, options?.token);
      const [now, latest] = [this.proofs.now(), this.proofs.latestNow()];
      assertDecidable(claims, this.options, now, latest);
      if (options?.checkTimes === true) assertInTime(claims, this.options, now, latest);
      assertActive(await this.decide(claims, options));
    } catch (error) {
      this.meter.refuse(error);
      throw error;
    }
  }

  /**
   * The claims by which the log knows a token: what {@link assertActive} asks about.
   *
   * @internal
   */
  identify<T extends VerifiedClaims>(claims: T, token?: string): T {
    return identityOf(claims, token, this.options);
  }

  /**
   * What {@link assertActive} asks, as a value; synchronous while the last proof is fresh enough.
   *
   * It answers for revocation alone. It does not look at the signature, `exp`, `nbf` or whether the
   * issuer is registered. Claims with neither `jti` nor `sid` are judged by account, issuer and key; only
   * {@link assertActive}, with the token's text, sees that such a token was logged out.
   *
   * @throws AuthWiringError for a failure policy that is wider than any that was found at boot, or that
   * contradicts `'strict'`.
   */
  decide(given: TokenIdentity, options?: DecisionOptions): Verdict | Promise<Verdict> {
    const own = this.options.foreign.length === 0 || given.iss === this.options.issuer;
    return this.decider.decide(own ? given : this.identify(given), options?.kid, options);
  }

  /** Whether our key of this `kid` was revoked: what it signed proves nothing, not even who logs out. */
  isKeyRevoked(kid: string): boolean {
    return this.index.isKeyRevoked(kid);
  }

  /** The library's one `now` (epoch ms), never behind the database, for the expiry of tokens (T1). */
  now(): number {
    return this.proofs.now();
  }

  /** What this instance knows. */
  status(): RevocationStatus {
    const staleness = this.proofs.age();
    const { observingUntil } = this.reporter;
    const { whenStale, maxStaleness } = this.options;
    return {
      ready: this.feed.ready,
      fresh: this.proofs.isFresh(),
      staleness: Number.isFinite(staleness) ? Math.round(staleness) / 1000 : null,
      position: this.cursor.position,
      entries: this.index.stats().entries,
      following: this.options.follow,
      contradicted: this.proofs.isContradicted,
      whenStale: stalePolicyOf(whenStale, maxStaleness),
      override: this.overrides.status,
      observingUntil: observingUntil === undefined ? null : new Date(observingUntil),
      hint: this.push.state,
    };
  }

  /**
   * Lets **this instance** accept by an older proof for a while: what an operator does, without a
   * deploy and without the database, when being up matters more than a logout.
   *
   * It loosens routes without a policy of their own and those that a policy loosens already; never one with
   * `@Freshness()` alone or `@WhenStale('closed')`, never before the first load, and never after the log
   * contradicted what is known here. What is known to be revoked stays refused. It is logged,
   * reported as `staleness_override`, and replaces the previous one.
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
}
