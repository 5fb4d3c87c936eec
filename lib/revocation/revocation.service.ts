import { Inject, Injectable } from '@nestjs/common';
import { AuthEvents } from '../events/auth-events.service.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { EventKeys } from './event-key.js';
import { assertDecidable } from './foreign-token.js';
import { ProvisionalEvents } from './provisional-events.js';
import type { TokenIdentity } from './revocation-event.js';
import { RevocationFeed } from './revocation-feed.service.js';
import { RevocationIndex } from './revocation-index.js';
import { exceptionOf } from './revocation.exceptions.js';
import type { Freshness, VerifiedClaims } from './token-claims.js';
import { ACTIVE, INVALID, type UnknownVerdict, type Verdict } from './verdict.js';

/** What a decision may ask for beside the claims. */
export interface DecisionOptions {
  /** Only tightens what the module says. */
  readonly freshness?: Freshness | undefined;
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

  constructor(
    private readonly index: RevocationIndex,
    private readonly feed: RevocationFeed,
    private readonly provisional: ProvisionalEvents,
    private readonly keys: EventKeys,
    private readonly events: AuthEvents,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {
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
    assertDecidable(claims, this.options, this.now());
    const verdict = await this.decide(claims, options);
    if (verdict.state !== 'active') throw exceptionOf(verdict);
  }

  /** What {@link assertActive} asks, as a value; synchronous while the last proof is fresh enough. */
  decide(claims: TokenIdentity, options?: DecisionOptions): Verdict | Promise<Verdict> {
    const kidKey = options?.kid === undefined ? undefined : this.kidKeyOf(options.kid);
    const known = this.look(claims, kidKey);
    if (known !== undefined) return known;
    const freshness = options?.freshness;
    if (freshness === 'strict' || this.isAhead(claims)) {
      return this.decideStrictly(claims, kidKey).then((verdict) => this.told(verdict, claims));
    }
    const staleness = this.stalenessOf(freshness);
    if (this.feed.isFresh(staleness)) return ACTIVE;
    return this.decideAfterPoll(claims, kidKey, staleness).then((verdict) =>
      this.told(verdict, claims),
    );
  }

  private told(verdict: Verdict, { sub, sid }: TokenIdentity): Verdict {
    if (verdict.state === 'unknown') {
      const type = 'revocation_state_unknown';
      this.events.tell({ type, subject: sub, sessionId: sid, reason: type });
    }
    return verdict;
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
    };
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

  private async decideStrictly(
    claims: TokenIdentity,
    kidKey: string | undefined,
  ): Promise<Verdict> {
    if (this.feed.failing) return this.unknown;
    const proven = await this.feed.strictProof();
    const known = this.look(claims, kidKey);
    if (known !== undefined) return known;
    if (!proven || !this.feed.isFresh()) return this.unknown;
    if (!this.isAhead(claims)) return ACTIVE;
    // Of a history that was lost, or of another log with our secret. Merely to refuse would turn to
    // accepting when later traffic raises the head (G5).
    return this.feed.hasJumpedFor(claims.gen ?? 0) ? INVALID : this.unknown;
  }

  private async decideAfterPoll(
    claims: TokenIdentity,
    kidKey: string | undefined,
    staleness: number,
  ): Promise<Verdict> {
    if (this.feed.failing || this.options.staleWait === 0) return this.unknown;
    const arrived = this.feed.monotonic();
    await this.feed.proofWithin(staleness, this.options.staleWait);
    const known = this.look(claims, kidKey);
    if (known !== undefined) return known;
    // A proof that was sent after the request came is as fresh as one can be, however tight the wish.
    const isProven = this.feed.isFresh(staleness) || this.feed.provenSince(arrived);
    return isProven && this.feed.isFresh() && !this.isAhead(claims) ? ACTIVE : this.unknown;
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
