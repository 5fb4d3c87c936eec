import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AuthException, AuthUnavailableException } from '../errors/auth.exception.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { ProofClock } from '../revocation/staleness/proof-clock.js';
import { KeyRing, type SigningKey } from './key-ring.js';
import { TokenService } from './token.service.js';

const ID = 'nestjs-logout:self-test';

/**
 * Signs one token at boot and verifies it (JW-14): a key pair whose halves do not belong together
 * stops the boot instead of refusing every user.
 *
 * A ring that only verifies cannot sign one, so it has no self-test.
 */
@Injectable()
export class AuthSelfTest implements OnModuleInit {
  constructor(
    private readonly ring: KeyRing,
    private readonly tokens: TokenService,
    private readonly proofs: ProofClock,
  ) {}

  /** @throws AuthWiringError which stops the boot. */
  async onModuleInit(): Promise<void> {
    this.ring.legacy?.warn();
    const key = this.keyIfAny();
    if (key === undefined) return;
    try {
      // An expired token is not looked up, and the log has not been loaded yet.
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
