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

/**
 * The prefix of the ids that recipe tokens get. Our own ids are UUIDs, so they never collide with
 * these.
 */
const NAMESPACE = 'nestjs-logout:legacy:';

interface RecipeClaims {
  readonly sub?: unknown;
  readonly iat?: unknown;
  readonly exp?: unknown;
  readonly sid?: unknown;
  readonly gen?: unknown;
}

/**
 * Verifies tokens of the passport recipe with the secret of the option `legacy`. The secret is not
 * in the key ring: it verifies only these tokens, and no key of the ring verifies them. Its
 * algorithm is always HS256.
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
   * Whether a header is one that the recipe writes, without a `kid`. A token with a `kid` is
   * something else even if the same secret signed it, such as a password-reset token of the
   * application.
   */
  hasShape(header: { readonly alg?: unknown; readonly typ?: unknown }): boolean {
    const { alg, typ } = header;
    return alg === 'HS256' && (typ === undefined || typ === 'JWT') && !('kid' in header);
  }

  /** Whether such tokens are still accepted. */
  isOpen(): boolean {
    return this.proofs.now() < this.options.until;
  }

  /**
   * Whether a new token with this expiry (epoch ms) is signed in the format of the recipe. It must
   * expire before the end of `legacy`, because it would be refused after that.
   */
  signsUntil(expiry: number): boolean {
    const { signs, until, key } = this.options;
    return signs && expiry <= until && !this.index.isKeyRevoked(key.kid);
  }

  /**
   * The claims of a recipe token, as if we had issued it without a session. Events of accounts of
   * our own issuer revoke it too. It has no `gen`, so its `iat` is compared instead.
   *
   * @returns `undefined` for a token that this library signed (`sign: true`), which has all our
   * claims and follows the rules for our own tokens.
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
      // A digest of the payload's bytes, not of the token's text, because one token can have
      // several texts.
      jti: NAMESPACE + hash('sha256', Buffer.from(segment, 'base64url'), 'hex'),
      iat: iat as number,
      exp: exp as number,
    };
  }

  /** Signs a token in the format of the recipe: type `JWT`, no `kid`. */
  sign(payload: Record<string, unknown>): Promise<string> {
    return this.jwt.signAsync(payload);
  }

  /** Logs a warning at each boot, so that the option is removed after its end. */
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
