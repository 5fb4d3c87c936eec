import { Inject, Injectable } from '@nestjs/common';
import { type AuthException, refusal } from '../errors/auth.exception.js';
import { LEGACY_TOKEN_LIFE } from '../options/legacy-options.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import type { TokenClaims } from '../options/token-claims.js';
import { isIdentifier } from '../platform/identifier.js';
import { RevocationService } from '../revocation/revocation.service.js';
import { isOfOurMaking, legacyId, legacySubject } from './legacy/legacy-tokens.js';
import { assertStrictSegment } from './strict-json.js';

interface RawClaims {
  readonly iss?: unknown;
  readonly aud?: unknown;
  readonly sub?: unknown;
  readonly sid?: unknown;
  readonly jti?: unknown;
  readonly gen?: unknown;
  readonly iat?: unknown;
  readonly exp?: unknown;
  readonly nbf?: unknown;
}

/**
 * What the payload of an access token must look like: rules JW-06, 07, 08, 10, 11 and 13.
 *
 * jsonwebtoken checks a signature; that the payload is an object, has an end, or names somebody, it
 * does not ask.
 */
@Injectable()
export class ClaimsPolicy {
  private readonly issuer: string;
  private readonly audience: string;
  private readonly maxTokenLife: number;
  private readonly clockTolerance: number;

  constructor(
    @Inject(RESOLVED_AUTH_OPTIONS) options: ResolvedAuthOptions,
    private readonly revocation: RevocationService,
  ) {
    this.issuer = options.issuer;
    this.audience = options.audience;
    this.maxTokenLife = options.maxTokenLife;
    this.clockTolerance = options.clockTolerance;
  }

  /**
   * Makes claims of a payload whose signature has been verified.
   *
   * @param payload what jsonwebtoken parsed, and `segment` the text that it parsed.
   * @param isLegacy signed with the secret of `legacy`: then the claims of the recipe are enough.
   * @throws AuthUnauthorizedException `token_invalid` or `token_expired`.
   */
  accept(payload: unknown, segment: string, allowExpired: boolean, isLegacy = false): TokenClaims {
    if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
      throw refusal('token_invalid', { cause: 'The payload is not an object.' });
    }
    try {
      assertStrictSegment(payload, segment);
    } catch (cause) {
      throw refusal('token_invalid', { cause: cause });
    }
    if (isLegacy && !isOfOurMaking(payload)) {
      return this.acceptLegacy(payload as RawClaims, segment, allowExpired);
    }
    const { iss, aud, sub, sid, jti, gen, iat, exp, nbf } = payload as RawClaims;
    if (iss !== this.issuer) throw refused('iss');
    if (aud !== this.audience && !this.isAmong(aud)) throw refused('aud');
    if (!isIdentifier(sub)) throw refused('sub');
    if (!isIdentifier(sid)) throw refused('sid');
    if (!isIdentifier(jti)) throw refused('jti');
    if (!Number.isSafeInteger(gen) || (gen as number) < 0) throw refused('gen');
    if (!isTime(iat)) throw refused('iat');
    if (!isTime(exp)) throw refused('exp');
    this.checkTimes(iat * 1000, exp * 1000, nbf, allowExpired);
    return payload as TokenClaims;
  }

  /** Whether a payload says that it is for another issuer or another API; it need not say anything. */
  isForeign(payload: unknown): boolean {
    if (typeof payload !== 'object' || payload === null) return false;
    const { iss, aud } = payload as RawClaims;
    return (
      (iss !== undefined && iss !== this.issuer) ||
      (aud !== undefined && aud !== this.audience && !this.isAmong(aud))
    );
  }

  /**
   * The claims of a token of the passport recipe, as if we had issued it without a session: what the
   * log knows of accounts of our own issuer holds for it, and without `gen` its `iat` decides.
   */
  private acceptLegacy(payload: RawClaims, segment: string, allowExpired: boolean): TokenClaims {
    const { iss, aud, sub: given, iat, exp, nbf, sid: _sid, gen: _gen, ...others } = payload;
    // Not demanded; but what is there for another issuer or another API is not for us.
    if (iss !== undefined && iss !== this.issuer) throw refused('iss');
    if (aud !== undefined && aud !== this.audience && !this.isAmong(aud)) throw refused('aud');
    const sub = legacySubject(given);
    if (sub === undefined) throw refused('sub');
    if (!isTime(iat)) throw refused('iat');
    if (!isTime(exp) || (exp - iat) * 1000 > LEGACY_TOKEN_LIFE) throw refused('exp');
    this.checkTimes(iat * 1000, exp * 1000, nbf, allowExpired);
    const audience = aud === undefined ? {} : { aud: aud as NonNullable<TokenClaims['aud']> };
    return { ...others, ...audience, iss: this.issuer, sub, jti: legacyId(segment), iat, exp };
  }

  /**
   * Against the library's one `now`, not the host's clock; so an event may be forgotten at the same
   * moment at which no instance accepts its token any more.
   */
  private checkTimes(iat: number, exp: number, nbf: unknown, allowExpired: boolean): void {
    const now = this.revocation.now();
    const latest = now + this.clockTolerance;
    if (exp - iat > this.maxTokenLife) throw refused('exp');
    if (iat > latest) throw refused('iat');
    if (nbf !== undefined && !(isTime(nbf) && nbf * 1000 <= latest)) throw refused('nbf');
    if (!allowExpired && now >= exp + this.clockTolerance) throw refusal('token_expired');
  }

  private isAmong(aud: unknown): boolean {
    return (
      Array.isArray(aud) &&
      aud.includes(this.audience) &&
      aud.every((entry) => typeof entry === 'string')
    );
  }
}

function refused(claim: string): AuthException {
  return refusal('token_invalid', { cause: `The claim "${claim}" is missing or not acceptable.` });
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
