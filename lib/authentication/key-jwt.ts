import { Inject, Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import type { AuthKey } from '../options/auth-key.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';

/**
 * One plain `JwtService` of @nestjs/jwt for each key: it signs and verifies with this key, its `kid`
 * and its one algorithm, and with our issuer and audience. What a call gives wins, as always there.
 */
@Injectable()
export class KeyJwt {
  private readonly services = new WeakMap<AuthKey, JwtService>();

  constructor(@Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions) {}

  /** The service of a key; a key that cannot sign verifies only. */
  of(key: AuthKey): JwtService {
    let service = this.services.get(key);
    if (service === undefined) this.services.set(key, (service = this.make(key)));
    return service;
  }

  /** Whether a token carries a good signature of this key, whatever its claims say. */
  hasSigned(key: AuthKey, token: string): boolean {
    try {
      const anyTime = { ignoreExpiration: true, ignoreNotBefore: true };
      new JwtService({ secret: key.verify }).verify(token, anyTime);
      return true;
    } catch {
      return false;
    }
  }

  private make({ alg, kid, sign, verify }: AuthKey): JwtService {
    const { issuer, audience } = this.options;
    return new JwtService({
      ...(sign === null ? {} : { privateKey: sign }),
      publicKey: verify,
      signOptions: { issuer, audience, algorithm: alg, keyid: kid },
      verifyOptions: { issuer, audience, algorithms: [alg] },
    });
  }
}
