import { Injectable, Logger } from '@nestjs/common';
import { type AuthException, refusal } from '../errors/auth.exception.js';
import type { AuthKey } from '../options/auth-key.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { TokenClaims } from '../options/token-claims.js';
import { isIdentifier } from '../platform/identifier.js';
import { logText } from '../platform/log-text.js';
import { RevocationIndex } from '../revocation/index/revocation-index.js';
import {
  type DecisionDemand,
  RevocationDecider,
} from '../revocation/revocation-decider.service.js';
import { ProofClock } from '../revocation/staleness/proof-clock.js';
import { ACTIVE, assertActive } from '../revocation/verdict.js';
import { KeyRing, type RingEntry } from './key-ring.js';
import {
  assertStrictSegment,
  hasCanonicalEnd,
  headerOf,
  isAccessTokenType,
  MAX_TOKEN_LENGTH,
  PassportJwt,
} from './jws.js';
import { TAIL, VerifiedToken, VerifiedTokens } from './verified-tokens.js';

/** What a caller requires of a token besides the rules for all tokens. */
export interface TokenDemand extends DecisionDemand {
  /** `true`: an expired or revoked token is accepted, for a call that revokes it anyway. */
  readonly allowExpired: boolean;
  /** The value of `@RecentLogin()` (ms). The strategy checks it after the token was accepted. */
  readonly recentLogin?: number | undefined;
}

/** The demand of a route without decorators. */
export const DEFAULT_DEMAND: TokenDemand = Object.freeze({
  allowExpired: false,
  recentLogin: undefined,
  freshness: undefined,
  whenStale: undefined,
});

/** A token with a valid signature of ours, whose claims are not checked yet. */
export interface SignedToken {
  readonly text: string;
  readonly payload: unknown;
  /** The encoded payload. */
  readonly segment: string;
  readonly key: AuthKey;
  /** When the key stops verifying (epoch ms); `null` while it is in use. */
  readonly until: number | null;
  /** Whether it is a token of the passport recipe (option `legacy`), with another key and fewer claims. */
  readonly isLegacy: boolean;
}

/** The claims that a payload may have. Their types are not checked yet. */
type RawClaims = {
  readonly [name in 'iss' | 'aud' | 'sub' | 'sid' | 'jti' | 'gen' | 'iat' | 'exp']?: unknown;
};

/**
 * The only code that turns an encoded access token into trusted claims. Guards, TokenService, introspection and
 * `legacy` tokens all use it. Specified in docs/requirements.md, JW-01 to JW-15.
 *
 * It has three steps, because their failures are answered differently. A token that fails in {@link verify} may
 * belong to another strategy. One that fails in {@link accept} or {@link decide} is ours and is refused.
 */
@Injectable()
export class TokenVerifier {
  private readonly logger = new Logger('JwtStrategy');
  /** Verifies tokens of this library. */
  private readonly own: PassportJwt;
  /** Verifies tokens of the passport recipe (option `legacy`), which have no issuer and no audience. */
  private readonly recipe = new PassportJwt({ algorithms: ['HS256'] });

  constructor(
    private readonly options: ResolvedAuthOptions,
    private readonly ring: KeyRing,
    private readonly verified: VerifiedTokens,
    private readonly decider: RevocationDecider,
    private readonly index: RevocationIndex,
    private readonly proofs: ProofClock,
  ) {
    const { issuer, audience } = options;
    this.own = new PassportJwt({ algorithms: ring.algorithms, issuer, audience });
  }

  /** A cached token that was verified by a key that is still in use; `undefined` for any other text. */
  find(text: string): VerifiedToken | undefined {
    const { verified, ring } = this;
    if (verified.revision !== ring.revision) verified.clear(ring.revision);
    const token = verified.byTail.get(text.slice(-TAIL));
    if (token?.text !== text || isPast(token.until, this.proofs)) return undefined;
    token.wasUsed = true;
    verified.found++;
    return token;
  }

  /**
   * Step 1: the key, the signature, the issuer and the audience.
   *
   * @throws AuthUnauthorizedException `token_malformed` or `token_invalid`.
   */
  verify(text: string): VerifiedToken | SignedToken {
    return this.find(text) ?? this.verifyUnseen(text);
  }

  /** {@link verify} for a text that is not cached. */
  verifyUnseen(text: string): SignedToken {
    const first = text.indexOf('.');
    const second = text.indexOf('.', first + 1);
    // Cheap checks first, so that garbage costs no signature check.
    if (first < 1 || second < first + 2 || text.length > MAX_TOKEN_LENGTH) {
      throw refusal('token_malformed');
    }
    // Other base64url texts decode to the same signature. Only the canonical one is accepted (JW-04).
    if (!hasCanonicalEnd(text.slice(second + 1))) throw refusal('token_malformed');
    const segment = text.slice(first + 1, second);
    const known = this.ring.byHeader.get(text.slice(0, first));
    if (known === undefined || isPast(known.until, this.proofs)) {
      return this.verifyUnusual(text, segment);
    }
    return this.signedBy(known, text, segment);
  }

  private signedBy({ key, until }: RingEntry, text: string, segment: string): SignedToken {
    const payload = this.own.verify(text, key.verify);
    return { text, payload, segment, key, until, isLegacy: false };
  }

  /**
   * Step 2: the claims. jsonwebtoken does not check that the payload is an object, expires, and has a subject.
   *
   * @throws AuthUnauthorizedException `token_invalid` or `token_expired`.
   */
  accept(token: VerifiedToken | SignedToken, { allowExpired }: TokenDemand): VerifiedToken {
    const accepted = token instanceof VerifiedToken ? token : this.checkClaims(token);
    this.checkTimes(accepted.claims, allowExpired);
    return accepted;
  }

  /**
   * Step 3: whether the token was revoked. It only returns a promise if it has to wait for a proof.
   *
   * With `allowExpired` a revoked token is accepted, so that a logout can be repeated. A token of a revoked key is
   * not: an attacker with a leaked key must not be able to log users out.
   *
   * @throws AuthException if the token is refused.
   */
  decide({ claims, key, keys }: VerifiedToken, demand: TokenDemand): void | Promise<void> {
    if (demand.allowExpired) {
      if (this.index.isKeyRevoked(key.kid)) throw refusal('key_revoked');
      return;
    }
    const verdict = this.decider.decide(claims, key.kid, demand, keys);
    if (verdict === ACTIVE) return;
    if (verdict instanceof Promise) return verdict.then(assertActive);
    assertActive(verdict);
  }

  /** A copy of the claims for one request, so that changes by one request do not affect another. */
  copyClaims({ claims, nested, isTooDeep }: VerifiedToken): TokenClaims {
    if (isTooDeep) return claims;
    const copy: Record<string, unknown> & TokenClaims = { ...claims };
    for (const name of nested) copy[name] = deepCopy(copy[name]);
    return copy;
  }

  private checkClaims({
    text,
    payload,
    segment,
    key,
    until,
    isLegacy,
  }: SignedToken): VerifiedToken {
    if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
      throw invalid('The payload is not an object.');
    }
    try {
      assertStrictSegment(payload, segment);
    } catch (cause) {
      throw invalid(cause);
    }
    const recipe = isLegacy ? this.ring.legacy?.claimsOf(payload, segment) : undefined;
    const claims = recipe ?? this.ownClaims(payload);
    // Events are kept for `maxTokenLife`. A token that is valid for longer would outlive its revocation.
    if ((claims.exp - claims.iat) * 1000 > this.options.maxTokenLife) throw refused('exp');
    const token = new VerifiedToken(text, claims, key, until);
    // Tokens of the recipe are accepted until a date, which is checked at each request, so they are not cached.
    if (!isLegacy) this.verified.add(token);
    return token;
  }

  /** Verifies a token whose encoded header is not the one that this library writes. */
  private verifyUnusual(text: string, segment: string): SignedToken {
    const header = headerOf(text);
    const { legacy } = this.ring;
    if (legacy?.hasShape(header) === true && legacy.isOpen()) {
      const { key } = legacy;
      const payload = this.recipe.verify(text, key.verify);
      if (this.isForeign(payload)) throw invalid('The token is for another issuer or audience.');
      return { text, payload, segment, key, until: null, isLegacy: true };
    }
    const { alg, kid, typ } = header;
    const entry = typeof kid === 'string' ? this.ring.find(kid) : undefined;
    if (entry === undefined) throw invalid('No key has the kid of the token.');
    if (alg !== entry.key.alg) throw invalid('The algorithm is not that of the key.');
    if (!isAccessTokenType(typ)) throw this.refuseType(typ);
    return this.signedBy(entry, text, segment);
  }

  /** A token of another type is no access token, even if the key is right (RFC 9068 section 4). */
  private refuseType(typ: unknown): AuthException {
    const shown = logText(JSON.stringify(typ) ?? 'none', 40);
    this.logger.debug(
      `Refused: a token of type ${shown} was sent as an access token. Access tokens have the type "at+jwt".`,
    );
    return invalid('The type is not "at+jwt".');
  }

  /** Checks the claims. passport-jwt has compared `iss` and `aud` too, but accepts audiences that are not strings. */
  private ownClaims(payload: RawClaims): TokenClaims {
    const { iss, aud, sub, sid, jti, gen, iat, exp } = payload;
    if (iss !== this.options.issuer) throw refused('iss');
    // All tokens share one string, because comparing it to itself is faster than comparing equal strings.
    (payload as { iss: unknown }).iss = this.options.issuer;
    if (!this.isOurs(aud)) throw refused('aud');
    if (!isIdentifier(sub)) throw refused('sub');
    if (!isIdentifier(sid)) throw refused('sid');
    if (!isIdentifier(jti)) throw refused('jti');
    if (!Number.isSafeInteger(gen) || (gen as number) < 0) throw refused('gen');
    if (!isTime(iat)) throw refused('iat');
    if (!isTime(exp)) throw refused('exp');
    return payload as TokenClaims;
  }

  /**
   * Checks the times against `ProofClock.now()`, not the host's clock: a host whose clock is behind would accept a
   * token whose revocation was deleted already (T1).
   */
  private checkTimes(
    { iat, exp, nbf }: { readonly iat: number; readonly exp: number; readonly nbf?: unknown },
    allowExpired: boolean,
  ): void {
    const { clockTolerance } = this.options;
    const now = this.proofs.now();
    const latest = this.proofs.latestNow(now) + clockTolerance;
    if (iat * 1000 > latest) throw refused('iat');
    if (nbf !== undefined && !(isTime(nbf) && nbf * 1000 <= latest)) throw refused('nbf');
    if (!allowExpired && now >= exp * 1000 + clockTolerance) throw refusal('token_expired');
  }

  /** Whether a payload has another issuer or audience. It may have none. */
  private isForeign(payload: unknown): boolean {
    if (typeof payload !== 'object' || payload === null) return false;
    const { iss, aud } = payload as RawClaims;
    return (
      (iss !== undefined && iss !== this.options.issuer) || (aud !== undefined && !this.isOurs(aud))
    );
  }

  private isOurs(aud: unknown): boolean {
    const { audience } = this.options;
    if (aud === audience || !Array.isArray(aud)) return aud === audience;
    return aud.includes(audience) && aud.every((entry) => typeof entry === 'string');
  }
}

/** The broken rule is in the `cause`, for the application's log. It is not sent to the client. */
function invalid(cause: unknown): AuthException {
  return refusal('token_invalid', { cause });
}

function refused(claim: string): AuthException {
  return invalid(`The claim "${claim}" is missing or not acceptable.`);
}

/** Whether a key has stopped verifying. */
function isPast(until: number | null, proofs: ProofClock): boolean {
  return until !== null && proofs.now() >= until;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** Copies JSON claims. No member has the name `__proto__` (JW-10), so assigning is safe. */
function deepCopy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(deepCopy);
  const copy: Record<string, unknown> = {};
  for (const name in value) copy[name] = deepCopy((value as Record<string, unknown>)[name]);
  return copy;
}
