import { Logger } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { hash } from 'node:crypto';
import type { AuthKey } from '../../options/auth-key.js';
import type { ResolvedLegacy } from '../../options/legacy-options.js';
import { isIdentifier } from '../../platform/identifier.js';
import type { RevocationService } from '../../revocation/revocation.service.js';

/**
 * The secret of the option `legacy`, apart from the ring: it verifies tokens of the passport recipe
 * and nothing else, and no key of the ring verifies those. Its algorithm is pinned.
 */
export class LegacyTokens {
  readonly key: AuthKey;
  private readonly jwt: JwtService;

  constructor(
    private readonly options: ResolvedLegacy,
    private readonly revocation: RevocationService,
  ) {
    this.key = options.key;
    this.jwt = new JwtService({
      secret: options.key.verify,
      signOptions: { algorithm: 'HS256' },
      // Time is judged by ClaimsPolicy, by the library's one clock.
      verifyOptions: { algorithms: ['HS256'], ignoreExpiration: true, ignoreNotBefore: true },
    });
  }

  /**
   * Whether a header is one that the recipe makes. It names no key: whatever has a `kid`, and be it
   * signed with the same secret, is something else, such as the application's own password-reset
   * token of `JwtService`.
   */
  hasShape(header: { readonly alg?: unknown; readonly typ?: unknown }): boolean {
    const { alg, typ } = header;
    return alg === 'HS256' && (typ === undefined || typ === 'JWT') && !('kid' in header);
  }

  /** Whether such tokens are accepted still. */
  isOpen(): boolean {
    return this.revocation.now() < this.options.until;
  }

  /** Whether a token of ours that ends then (epoch ms) is to be signed so: none is cut off later. */
  signsUntil(expiry: number): boolean {
    const { signs, until, key } = this.options;
    return signs && expiry <= until && !this.revocation.isKeyRevoked(key.kid);
  }

  /** @returns the payload, of which only the signature has been looked at. */
  verify(text: string): unknown {
    return this.jwt.verify(text);
  }

  /** Signs in the recipe's shape: the type `JWT`, and no `kid`. */
  sign(payload: Record<string, unknown>): Promise<string> {
    return this.jwt.signAsync(payload);
  }

  /** Said at each boot, so that it is not forgotten. */
  warn(): void {
    const logger = new Logger('AuthModule');
    const until = new Date(this.options.until).toISOString();
    if (!this.isOpen()) {
      logger.warn(`The option legacy has ended at ${until} and does nothing. Remove it.`);
      return;
    }
    logger.warn(
      `Until ${until} tokens of the passport recipe are accepted${this.options.signs ? ', and signed' : ''} ` +
        '(option legacy), and revocations are remembered for 31 days. Remove the option after that.',
    );
    if (!this.options.isShort) return;
    logger.error(
      `The secret of legacy has only ${this.key.verify.symmetricKeySize} bytes (HS256 demands 32): ` +
        `whoever has one token can guess it, and can then be anybody until ${until}. ` +
        'Choose the earliest date that your tokens allow.',
    );
  }
}

const OURS = ['iss', 'aud', 'sid', 'jti', 'gen'] as const;

/** Ids of our own are UUIDs, so none of them can be one of these. */
const NAMESPACE = 'nestjs-logout:legacy:';

/**
 * Whether a payload that was signed with the secret of `legacy` came from this library (`sign: true`):
 * then every rule for our tokens holds, and session and generation decide.
 */
export function isOfOurMaking(payload: object): boolean {
  return OURS.every((name) => Object.hasOwn(payload, name));
}

/** The account of a token of the recipe: a text, or a number as `logoutAll(1)` writes it. */
export function legacySubject(sub: unknown): string | undefined {
  if (typeof sub === 'number' && Number.isSafeInteger(sub)) return String(sub);
  return isIdentifier(sub) ? sub : undefined;
}

/**
 * What takes the place of an id: a digest of the payload's bytes. Never of the token's text, of which
 * there may be several; the caller has seen that the segment is the one spelling of its bytes.
 */
export function legacyId(segment: string): string {
  return NAMESPACE + hash('sha256', Buffer.from(segment, 'base64url'), 'hex');
}
