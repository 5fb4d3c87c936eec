import { JwtSecretRequestType, type JwtModuleOptions } from '@nestjs/jwt';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { KeyRing } from './key-ring.service.js';
import { keyOfToken } from './token-inspector.js';

/**
 * What `JwtModule` gets: the ring's keys, issuer and audience, so that "signed with one secret,
 * verified with another" cannot be said. The type `at+jwt` is not among it: only the sessions sign
 * access tokens, and a token for anything else is none.
 *
 * The getters are read at each call, since JwtService copies the options each time: so a key that was
 * rotated or revoked is out of use at once.
 */
export function jwtModuleOptions(ring: KeyRing, options: ResolvedAuthOptions): JwtModuleOptions {
  const { issuer, audience } = options;
  return {
    secretOrKeyProvider: (type, token) =>
      type === JwtSecretRequestType.SIGN
        ? ring.signingKey().sign
        : keyOfToken(ring, String(token)).verify,
    signOptions: {
      issuer,
      audience,
      get algorithm() {
        return ring.signingKey().alg;
      },
      get keyid() {
        return ring.signingKey().kid;
      },
    },
    verifyOptions: { issuer, audience, algorithms: ring.algorithms },
  };
}
