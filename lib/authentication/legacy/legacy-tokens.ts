import { Logger } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { hash } from 'node:crypto';
import { type AuthException, refusal } from '../../errors/auth.exception.js';
import type { AuthKey } from '../../options/auth-key.js';
import { LEGACY_TOKEN_LIFE } from '../../options/legacy-options.js';
import type { ResolvedLegacy } from '../../options/legacy-options.js';
import type { TokenClaims } from '../../options/token-claims.js';
import { isIdentifier } from '../../platform/identifier.js';
import type { RevocationIndex } from '../../revocation/index/revocation-index.js';
import type { ProofClock } from '../../revocation/staleness/proof-clock.js';

const OURS = ['iss', 'aud', 'sid', 'jti', 'gen'] as const;

/** Ids of our own are UUIDs, so none of them can be one of these. */
const NAMESPACE = 'nestjs-logout:legacy:';

interface RecipeClaims {
  readonly sub?: unknown;
  readonly iat?: unknown;
  readonly exp?: unknown;
  readonly sid?: unknown;
  readonly gen?: unknown;
}

/**
 * The secret of the option `legacy`, apart from the ring: it verifies tokens of the passport recipe
 * and nothing else, and no key of the ring verifies those. Its algorithm is pinned.
 */
export class LegacyTokens {
  readonly key: AuthKey;
  private readonly jwt: JwtService;

  constructor(
    private readonly options: ResolvedLegacy,
    private readonly issuer: string,
    private readonly index: RevocationIndex,
    private readonly proofs: ProofClock,
  ) {
    this.key = options.key;
    this.jwt = new JwtService({ secret: options.key.verify, signOptions: { algorithm: 'HS256' } });
  }

  /**
   * Whether a header is one that the recipe makes. It names no key: a token with a
   * `kid` is something else, even if the same secret signed it, such as the application's own
   * password-reset token of `JwtService`.
   */
  hasShape(header: { readonly alg?: unknown; readonly typ?: unknown }): boolean {
    const { alg, typ } = header;
    return alg === 'HS256' && (typ === undefined || typ === 'JWT') && !('kid' in header);
  }

  /** Whether such tokens are still accepted. */
  isOpen(): boolean {
    return this.proofs.now() < this.options.until;
  }

  /** Whether a token of ours with this expiry (epoch ms) is signed so: none is cut off later. */
  signsUntil(expiry: number): boolean {
    const { signs, until, key } = this.options;
    return signs && expiry <= until && !this.index.isKeyRevoked(key.kid);
  }

  /**
   * The claims of a token of the recipe, as if we had issued it without a session: what the log knows
   * of accounts of our own issuer holds for it, and without `gen` its `iat` decides.
   *
   * @returns `undefined` for a token that this library signed (`sign: true`): every rule for our
   * tokens holds for it, and session and generation decide.
   * @throws AuthUnauthorizedException `token_invalid`.
   */
  claimsOf(payload: object, segment: string): TokenClaims | undefined {
    if (OURS.every((name) => Object.hasOwn(payload, name))) return undefined;
    const { sub, iat, exp, sid: _sid, gen: _gen, ...others } = payload as RecipeClaims;
    const subject = typeof sub === 'number' && Number.isSafeInteger(sub) ? String(sub) : sub;
    if (!isIdentifier(subject)) throw refused('sub');
    if (!Number.isFinite(iat)) throw refused('iat');
    const life = ((exp as number) - (iat as number)) * 1000;
    if (!Number.isFinite(exp) || life > LEGACY_TOKEN_LIFE) throw refused('exp');
    return {
      ...others,
      iss: this.issuer,
      sub: subject,
      // Of the payload's bytes, never of the token's text, which may have several spellings.
      jti: NAMESPACE + hash('sha256', Buffer.from(segment, 'base64url'), 'hex'),
      iat: iat as number,
      exp: exp as number,
    };
  }

  /** Signs in the recipe's shape: the type `JWT`, and no `kid`. */
  sign(payload: Record<string, unknown>): Promise<string> {
    return this.jwt.signAsync(payload);
  }

  /** Logged at each boot, so that the option is not forgotten. */
  warn(): void {
    const logger = new Logger('AuthModule');
    const until = new Date(this.options.until).toISOString();
    if (!this.isOpen()) {
      logger.warn(`The option legacy ended at ${until} and no longer has an effect. Remove it.`);
      return;
    }
    logger.warn(
      `Until ${until} tokens of the passport recipe are accepted${this.options.signs ? ', and signed' : ''} ` +
        '(option legacy), and revocations are kept for 31 days. Remove the option after that date.',
    );
    if (!this.options.isShort) return;
    logger.error(
      `The secret of legacy has only ${this.key.verify.symmetricKeySize} bytes (HS256 requires 32): ` +
        `anyone who has one token can guess the secret, and can then log in as any user until ${until}. ` +
        'Choose the earliest date that your tokens allow.',
    );
  }
}

function refused(claim: string): AuthException {
  const cause = `The claim "${claim}" is missing or not acceptable.`;
  return refusal('token_invalid', { cause });
}
