import { Injectable } from '@nestjs/common';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { type StalePolicy, UNBOUNDED } from '../options/operation-settings.js';
import type { TokenIdentity } from '../options/token-claims.js';
import { LogCursor } from './feed/log-cursor.js';
import { RevocationFeed } from './feed/revocation-feed.service.js';
import { RevocationIndex } from './index/revocation-index.js';
import type { RevokedVerdict } from './index/revoked-verdict.js';
import type { TokenKeys } from './index/event-key.js';
import type { CallerWrites } from './log/caller-writes.js';
import type { InDoubtCommits } from './log/in-doubt-commits.js';
import { LogPositions } from './log/log-positions.service.js';
import { RevocationLog } from './log/revocation-log.service.js';
import type { Freshness } from './staleness/freshness.decorators.js';
import { ProofClock } from './staleness/proof-clock.js';
import { StalePolicies } from './staleness/stale-policies.service.js';
import { StalenessOverrides } from './staleness/staleness-override.service.js';
import { VerdictReporter } from './verdict-reporter.service.js';
import { ACTIVE, INVALID, LENIENT, type UnknownVerdict, type Verdict } from './verdict.js';

/** The tolerated staleness of a decision that no policy may loosen. */
const NEVER = 0;

/**
 * The `kid` of an opaque token. No key signed it, and no real key has this id. An opaque token
 * without a session is an API token. Events that revoke access tokens only (`claimsChanged()`) do
 * not revoke API tokens, which outlive those events.
 */
export const NO_KEY = '';

/** The most proofs that one request waits for, while transactions on its account end one after the other. */
const MOST_PROOFS = 5;

/** What a route or a caller requires of a decision. */
export interface DecisionDemand {
  /** It can only lower `maxStaleness`. If it is set, the option `whenStale` does not apply. */
  readonly freshness?: Freshness | undefined;
  /** What happens to the token while freshness cannot be proven. @default the option `whenStale` */
  readonly whenStale?: StalePolicy | undefined;
}

/** The options of a decision. */
export interface DecisionOptions extends DecisionDemand {
  /**
   * The `kid` of the key that verified the token; `kidOf(token)` reads it from the header. Without
   * it, every token is refused with `key_revoked` once a key of its issuer was revoked, because
   * that key may have signed it. See the option `acceptWithoutKid`.
   */
  readonly kid?: string | undefined;
}

/**
 * Decides whether a token is accepted, given its verified claims. It asks the index first, then for
 * a proof that is fresh enough, then the failure policy.
 *
 * Guards call it directly. Applications call it through {@link RevocationService}. Specified in
 * docs/protocol.md, "Following", F5 and F6.
 */
@Injectable()
export class RevocationDecider {
  /** The verdict while freshness cannot be proven. */
  readonly unknown: UnknownVerdict;
  private readonly inDoubt: InDoubtCommits;
  private readonly callers: CallerWrites;

  constructor(
    private readonly index: RevocationIndex,
    private readonly cursor: LogCursor,
    private readonly feed: RevocationFeed,
    log: RevocationLog,
    private readonly positions: LogPositions,
    private readonly proofs: ProofClock,
    private readonly policies: StalePolicies,
    private readonly overrides: StalenessOverrides,
    private readonly reporter: VerdictReporter,
    private readonly options: ResolvedAuthOptions,
  ) {
    this.inDoubt = log.inDoubt;
    this.callers = log.callers;
    this.unknown = Object.freeze({
      state: 'unknown',
      retryAfter: Math.max(1, Math.ceil(options.maxStaleness / 4_000)),
    });
  }

  /**
   * See {@link RevocationService.decide}. The claims must have passed `identityOf()`, so that `jti` and `sid`
   * are the ids under which the log knows the token.
   *
   * @param kept - The token's index keys, if the caller has cached them.
   */
  decide(
    claims: TokenIdentity,
    givenKid: string | undefined,
    demand?: DecisionDemand,
    kept?: TokenKeys,
  ): Verdict | Promise<Verdict> {
    const kid = this.kidOf(claims, givenKid);
    const verdict = this.judge(claims, kid, demand, kept);
    // The steady state: there is nothing to report and nothing to wait for, so no promise is created.
    if (verdict === ACTIVE && kid !== null) return verdict;
    return verdict instanceof Promise
      ? verdict.then((decided) => this.reporter.pronounce(decided, claims, kid))
      : this.reporter.pronounce(verdict, claims, kid);
  }

  /**
   * The revocation that ends an open connection of this token, by the same rules as {@link decide}.
   * `undefined` if none is known, or while revocations are only observed. It is synchronous: it
   * never waits for a poll.
   */
  ending(claims: TokenIdentity, givenKid: string | undefined): RevokedVerdict | undefined {
    const kid = this.kidOf(claims, givenKid);
    const hit = this.index.find(claims, kid, isApiToken(claims, kid));
    if (hit === undefined) return undefined;
    return this.reporter.pronounce(hit, claims, kid).state === 'active' ? undefined : hit;
  }

  /**
   * The verdict about an opaque token whose row shows that it was revoked. While revocations are
   * only observed, the token is accepted.
   */
  ended(hit: RevokedVerdict, claims: TokenIdentity): Verdict {
    return this.reporter.pronounce(hit, claims, NO_KEY);
  }

  /** Whether revocations are only observed now, so that no token is refused (option `observe`). */
  get isObserving(): boolean {
    return this.reporter.observingUntil !== undefined;
  }

  /**
   * How old the last proof may become while a connection stays open (ms).
   *
   * @param upTo - Of {@link toleranceOf}. It is ignored after the log contradicted this instance (H1).
   */
  openFor(upTo: number): number {
    const { maxStaleness } = this.options;
    if (this.isObserving) return UNBOUNDED;
    if (upTo === NEVER || this.proofs.isContradicted) return maxStaleness;
    return Math.max(maxStaleness, upTo, this.overrides.upTo);
  }

  /**
   * Asks the index, then the proof, then the policy: a known revocation is refused however stale the proof is.
   */
  private judge(
    claims: TokenIdentity,
    kid: string | null | undefined,
    demand: DecisionDemand | undefined,
    kept: TokenKeys | undefined,
  ): Verdict | Promise<Verdict> {
    const freshness = demand?.freshness;
    const upTo = this.toleranceOf(freshness, demand?.whenStale);
    const known = this.look(claims, kid, kept);
    if (known !== undefined) return known;
    if (this.callers.size > 0 && this.callers.concerns(claims)) {
      // A caller's transaction that revokes this token may commit at any moment. Only a proof dated
      // after the commit shows it, so no policy may be used (C5).
      return this.decideStrictly(claims, kid, NEVER);
    }
    if (freshness === 'strict' || this.isAhead(claims)) {
      return this.decideStrictly(claims, kid, upTo);
    }
    const staleness = this.stalenessOf(freshness);
    if (this.proofs.isFresh(staleness)) return ACTIVE;
    return this.decideAfterPoll(claims, kid, staleness, upTo);
  }

  /** What is known about the token without a proof of freshness. */
  private look(
    claims: TokenIdentity,
    kid: string | null | undefined,
    kept?: TokenKeys,
  ): Verdict | undefined {
    const hit = this.index.find(claims, kid, isApiToken(claims, kid), kept);
    if (hit !== undefined) return hit;
    if (this.inDoubt.size > 0 && this.inDoubt.concerns(claims, kid)) return this.unknown;
    return undefined;
  }

  /** Whether the token was signed at a position that this instance has not applied yet (G5). */
  private isAhead({ gen, iss }: TokenIdentity): boolean {
    return gen !== undefined && gen > this.cursor.position && iss === this.options.issuer;
  }

  /**
   * Decides by a proof that is dated after this call.
   *
   * @param upTo - The staleness (ms) that the policy tolerates if no proof arrives.
   */
  private async decideStrictly(
    claims: TokenIdentity,
    kid: string | null | undefined,
    upTo: number,
  ): Promise<Verdict> {
    if (this.feed.failing) return this.withoutProof(upTo);
    const isProven = await this.strictProof(claims);
    const known = this.look(claims, kid);
    if (known !== undefined) return known;
    if (isProven && this.proofs.isFresh() && this.isAhead(claims)) {
      // The token comes from a lost history, or from another installation with the same secret.
      // Unless the log jumps, the token would be accepted as soon as later events raise the head
      // past its position (G5).
      return this.positions.hasJumpedFor(claims.gen ?? 0) ? INVALID : this.unknown;
    }
    return this.after(isProven, claims, upTo);
  }

  /**
   * Waits for a proof. A caller's transaction that ended meanwhile may have committed after that poll was sent,
   * so another proof is needed.
   */
  private async strictProof(claims: TokenIdentity): Promise<boolean> {
    for (let proofs = 0; proofs < MOST_PROOFS; proofs++) {
      if (!(await this.feed.strictProof())) return false;
      if (!this.callers.isOverFor(claims, this.proofs.moment())) return true;
    }
    return false;
  }

  /** Decides after the lease has expired: waits for a poll, at most `staleWait` (250 ms by default). */
  private async decideAfterPoll(
    claims: TokenIdentity,
    kid: string | null | undefined,
    staleness: number,
    upTo: number,
  ): Promise<Verdict> {
    if (this.feed.failing || this.options.staleWait === 0) return this.withoutProof(upTo);
    const arrived = this.proofs.moment().monotonic;
    await this.feed.proofWithin(staleness, this.options.staleWait);
    const known = this.look(claims, kid);
    if (known !== undefined) return known;
    // Written while this request waited: the proof may be older than that caller's commit.
    if (this.callers.concerns(claims)) return this.decideStrictly(claims, kid, NEVER);
    // A poll sent after the request arrived is as fresh as can be, even if its answer took longer than that.
    const isProven = this.proofs.isFresh(staleness) || this.proofs.provenSince(arrived);
    return this.after(isProven, claims, upTo);
  }

  /** The verdict once the wait for a proof is over. */
  private after(isProven: boolean, claims: TokenIdentity, upTo: number): Verdict {
    if (isProven && this.isAhead(claims)) return this.unknown;
    return isProven && this.proofs.isFresh() ? ACTIVE : this.withoutProof(upTo);
  }

  /**
   * The verdict of the policy. Before the first load and after a contradiction there is no proof of any
   * age, so every policy refuses (P4, H1).
   */
  private withoutProof(upTo: number): Verdict {
    if (upTo === NEVER) return this.unknown;
    if (upTo > this.options.maxStaleness && this.proofs.isFresh(upTo)) {
      return upTo >= UNBOUNDED ? LENIENT.open : LENIENT.stale_for;
    }
    const overridden = this.overrides.upTo;
    return overridden > 0 && this.proofs.isFresh(overridden) ? LENIENT.override : this.unknown;
  }

  /**
   * How much staleness (ms) is accepted without a fresh proof. The policy nearest to the route decides.
   *
   * @throws AuthWiringError if `strict` freshness is combined with a policy other than `closed`.
   */
  toleranceOf(freshness: Freshness | undefined, policy: StalePolicy | undefined): number {
    if (policy === undefined) return freshness === undefined ? this.options.whenStale : NEVER;
    if (policy === 'closed') return NEVER;
    if (freshness === 'strict') {
      throw new AuthWiringError(
        'freshness: "strict" was combined with a failure policy that accepts tokens without a proof of freshness.',
        'Omit whenStale if freshness is strict.',
      );
    }
    return this.policies.upTo(policy);
  }

  /** How old a proof may be (ms). */
  private stalenessOf(freshness: number | undefined): number {
    const { maxStaleness } = this.options;
    return freshness === undefined ? maxStaleness : Math.min(freshness * 1000, maxStaleness);
  }

  /**
   * The key to look up. `null` means that any key of the issuer may have signed the token, so each
   * revoked key counts. `undefined` skips the key, because `acceptWithoutKid` lists the issuer.
   */
  private kidOf({ iss }: TokenIdentity, kid: string | undefined): string | null | undefined {
    return kid ?? (this.options.acceptWithoutKid.includes(iss) ? undefined : null);
  }
}

function isApiToken({ sid }: TokenIdentity, kid: string | null | undefined): boolean {
  return kid === NO_KEY && sid === undefined;
}
