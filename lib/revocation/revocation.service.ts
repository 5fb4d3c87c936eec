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

/** The state of this instance, for health checks and operators. All durations are in seconds. */
export interface RevocationStatus {
  /**
   * Whether the log was loaded completely at least once. Before that every guarded request gets
   * 503.
   */
  readonly ready: boolean;
  /** Whether a request would be decided now without waiting for a poll. */
  readonly fresh: boolean;
  /** Seconds since the last proof of freshness; `null` while there is none. */
  readonly staleness: number | null;
  /** The last position of the log that this instance has read. */
  readonly position: number;
  /** Unexpired revocations in memory. */
  readonly entries: number;
  /** `false` for a process that only writes (option `follow`), whose guards always answer 503. */
  readonly following: boolean;
  /**
   * Whether the log contradicts what this instance knows, or has a format that this release cannot read.
   * Until the next proof every guarded request gets 503, whatever a failure policy says.
   */
  readonly contradicted: boolean;
  /** The option `whenStale`; `staleFor` in seconds. */
  readonly whenStale: StalePolicy;
  /** The override in effect on this instance, or `null`. */
  readonly override: OverrideStatus | null;
  /** Until when revocations are only observed; `null` when they are enforced. */
  readonly observingUntil: Date | null;
  /** Whether push notifications arrive at this instance; see {@link HintState}. */
  readonly hint: HintState;
}

/** The options of {@link RevocationService.assertActive}. @publicApi */
export interface AssertActiveOptions extends DecisionOptions {
  /**
   * Also refuses claims that have expired or are not valid yet, by the library's clock and
   * `clockTolerance`. Use it if your verifier does not check `exp` and `nbf`.
   *
   * @default false
   */
  readonly checkTimes?: boolean | undefined;
  /**
   * The token, exactly as it was verified. It is required if the claims have neither `jti` nor `sid`, because
   * a logout could not be found without it. The claims must be those of the token; you may have added others.
   */
  readonly token?: string | undefined;
}

/**
 * Checks whether a token was revoked, given its verified claims. In steady state that costs no
 * query and no network call.
 *
 * Its claims are trusted: never pass the payload of a token that was only decoded. Specified in
 * docs/protocol.md, "Generation" and "Following".
 *
 * @example In the `validate()` of a passport strategy of your own:
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
   * Throws if the token of these claims was revoked.
   *
   * You must have verified the claims: it does not check the signature, `exp` and `nbf`. An expired
   * token is refused here only a minute after its `exp`, or at its `exp` with `checkTimes`. A
   * foreign issuer must be registered in the option `foreign`.
   *
   * @throws AuthUnauthorizedException `token_revoked`, `session_ended`, `key_revoked`,
   * `token_expired`, or `token_invalid` for an issuer that is not registered.
   * @throws AuthUnavailableException `revocation_state_unknown` if this instance cannot prove that
   * it is fresh. Let it become a 503, and never treat it as "not revoked".
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
   * The claims with the `jti` and `sid` under which the log knows the token.
   *
   * @internal
   */
  identify<T extends VerifiedClaims>(claims: T, token?: string): T {
    return identityOf(claims, token, this.options);
  }

  /**
   * Returns the result of {@link assertActive} instead of throwing. It is synchronous while the last proof is
   * fresh enough.
   *
   * It only decides about revocation. It does not check the signature, `exp`, `nbf` or whether the issuer is
   * registered. For claims with neither `jti` nor `sid` it checks account, issuer and key; only
   * {@link assertActive} with `token` finds a logout of such a token.
   *
   * @throws AuthWiringError for a failure policy that is wider than any that was found at boot, or that
   * contradicts `'strict'`.
   */
  decide(given: TokenIdentity, options?: DecisionOptions): Verdict | Promise<Verdict> {
    const own = this.options.foreign.length === 0 || given.iss === this.options.issuer;
    return this.decider.decide(own ? given : this.identify(given), options?.kid, options);
  }

  /**
   * Whether our key with this `kid` was revoked. A token that it signed proves nothing, not even
   * who asks to log out.
   */
  isKeyRevoked(kid: string): boolean {
    return this.index.isKeyRevoked(kid);
  }

  /** The time by which tokens expire (epoch ms): the clock of the host or of the database, whichever is ahead. */
  now(): number {
    return this.proofs.now();
  }

  /**
   * The current {@link RevocationStatus} of this instance. It is synchronous and reads memory only.
   */
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
   * Lets **this instance** accept tokens on an older proof of freshness until a time. Call it
   * during an outage of the database, without a deploy. The price: during the outage, logouts on
   * other instances may take up to `staleFor` to take effect here.
   *
   * It applies to routes without a policy of their own and to those with a narrower `@WhenStale()`.
   * It does not apply to routes with `@WhenStale('closed')` or with `@Freshness()` alone, before
   * the first load, or while the log contradicts what this instance knows. Tokens that are known to
   * be revoked are still refused. The override is logged, reported as `staleness_override`, and
   * replaces the previous one.
   *
   * @throws AuthWiringError without the option `overrideCeiling`, or above it.
   * @throws AuthException 400 `invalid_request` if `until` is in the past or more than 24 hours
   * ahead, or if there is no actor.
   * @example
   * ```ts
   * const until = new Date(Date.now() + 3_600_000);
   * this.revocation.override({ staleFor: '30m', until, actor: 'on call: dora' });
   * ```
   */
  override(override: StalenessOverride): void {
    this.overrides.begin(override);
  }

  /**
   * Ends the override of this instance early. It does nothing if there is none.
   *
   * @throws AuthException 400 `invalid_request` if the actor is not 1 to 255 characters.
   */
  endOverride(actor: string): void {
    this.overrides.end(actor);
  }
}
