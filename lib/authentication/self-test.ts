import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AuthException, AuthUnavailableException } from '../errors/auth.exception.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { ProofClock } from '../revocation/staleness/proof-clock.js';
import { KeyRing, type SigningKey } from './key-ring.js';
import { TokenService } from './token.service.js';

const ID = 'nestjs-logout:self-test';

/**
 * Signs a token at boot and verifies it (JW-14). So a public key that does not match its private
 * key stops the boot, instead of refusing every user.
 *
 * It does nothing if no key can sign.
 */
@Injectable()
export class AuthSelfTest implements OnModuleInit {
  constructor(
    private readonly ring: KeyRing,
    private readonly tokens: TokenService,
    private readonly proofs: ProofClock,
  ) {}

  /** @throws AuthWiringError if the token is refused, which stops the boot. */
  async onModuleInit(): Promise<void> {
    this.ring.legacy?.warn();
    const key = this.keyIfAny();
    if (key === undefined) return;
    try {
      // With `allowExpired` the token is not checked for revocation. The log is not loaded yet, so
      // that check would fail.
      await this.tokens.verify(this.sign(key), { allowExpired: true });
    } catch (error) {
      const cause = error instanceof AuthException ? (error.cause ?? error.code) : error;
      throw new AuthWiringError(
        `The self-test of authentication failed: a valid token is refused (${String(cause)}).`,
        'Check that the public key belongs to the private key, and that no other module patches passport-jwt.',
      );
    }
  }

  private keyIfAny(): SigningKey | undefined {
    try {
      return this.ring.signingKey();
    } catch (error) {
      if (error instanceof AuthUnavailableException) return undefined;
      throw error;
    }
  }

  private sign(key: SigningKey): string {
    const iat = Math.floor(this.proofs.now() / 1000);
    const claims = { sub: ID, sid: ID, jti: ID, gen: 0, iat, exp: iat + 1 };
    return this.ring.jwtOf(key).sign(claims, { header: { alg: key.alg, typ: 'at+jwt' } });
  }
}
