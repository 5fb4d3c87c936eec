import { Inject, Injectable, Logger } from '@nestjs/common';
import { JwtService, type JwtSignOptions, type JwtVerifyOptions } from '@nestjs/jwt';
import { refusal } from '../errors/auth.exception.js';
import type { AuthKey } from '../options/auth-key.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import type { RevocationService } from '../revocation/revocation.service.js';
import { exceptionOf } from '../revocation/verdict.js';
import type { KeyRing } from './key-ring.js';
import { headerOf, isAccessTokenType } from './token-header.js';

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

type Payload = string | Buffer | object;

/** Only the key is asked about: a token for the application's own purpose is no login. */
const NO_CLAIMS = Object.freeze({ iss: '' });

const UNKNOWN = Object.freeze({ state: 'unknown', retryAfter: 1 } as const);

/**
 * The `JwtService` of the application where no module imports a JwtModule of its own.
 *
 * A call with a secret or key of its own is plain @nestjs/jwt: nothing of ours is added. Any other call
 * uses the key ring, `issuer` and `audience`; an option given at the call wins. Tokens of a revoked key
 * and access tokens (`at+jwt`) are refused: `TokenService.verify()` is for those, because only it
 * looks for a logout.
 */
// Made by a factory: the first parameter of an injectable would inherit @Inject() from JwtService.
export class RingJwtService extends JwtService {
  private readonly log = new Logger('JwtService');
  private hasWarned = false;

  constructor(
    private readonly ring: KeyRing,
    private readonly keyed: KeyJwt,
    private readonly revocation: RevocationService,
    private readonly settings: ResolvedAuthOptions,
  ) {
    super({});
  }

  /** @throws AuthUnavailableException `no_signing_key` where the ring is to sign and cannot. */
  override sign(payload: Payload, options?: JwtSignOptions): string {
    if (bringsSigningKey(options)) return super.sign(payload as object, options);
    return this.signer(options).sign(payload as object, options);
  }

  override async signAsync(payload: Payload, options?: JwtSignOptions): Promise<string> {
    if (bringsSigningKey(options)) return super.signAsync(payload as object, options);
    return this.signer(options).signAsync(payload as object, options);
  }

  /**
   * @throws the errors of jsonwebtoken.
   * @throws AuthUnauthorizedException `key_revoked`; `token_invalid` for an access token or an unknown
   * key; `token_malformed`.
   * @throws AuthUnavailableException `revocation_state_unknown` where no proof is fresh enough;
   * `verifyAsync` waits for one.
   */
  override verify<T extends object>(token: string, options?: JwtVerifyOptions): T {
    if (bringsVerifyingKey(options)) return super.verify<T>(token, options);
    const key = this.keyOf(token, options);
    const claims = this.keyed.of(key).verify<T>(token, options);
    const verdict = this.judge(key);
    if (verdict instanceof Promise) {
      verdict.catch(() => undefined);
      throw exceptionOf(UNKNOWN);
    }
    if (verdict.state !== 'active') throw exceptionOf(verdict);
    return claims;
  }

  override async verifyAsync<T extends object>(
    token: string,
    options?: JwtVerifyOptions,
  ): Promise<T> {
    if (bringsVerifyingKey(options)) return super.verifyAsync<T>(token, options);
    const key = this.keyOf(token, options);
    const claims = await this.keyed.of(key).verifyAsync<T>(token, options);
    const verdict = await this.judge(key);
    if (verdict.state !== 'active') throw exceptionOf(verdict);
    return claims;
  }

  /** `keyid` picks a key of the ring where it names one; any other text only goes into the header. */
  private signer(options: JwtSignOptions | undefined): JwtService {
    return this.keyed.of(this.ring.signingKey(options?.keyid));
  }

  private judge({ kid }: AuthKey): ReturnType<RevocationService['decide']> {
    // A process that follows nothing knows of no revoked key, and says so in its option.
    if (!this.settings.follow) return { state: 'active' };
    return this.revocation.decide(NO_CLAIMS, { kid });
  }

  private keyOf(token: string, options: JwtVerifyOptions | undefined): AuthKey {
    const { alg, kid, typ } = headerOf(String(token));
    if (isAccessTokenType(typ)) throw this.refuseAccessToken();
    // A token that names no key cannot be refused once that key is revoked.
    if (typeof kid !== 'string')
      throw refusal('token_invalid', { cause: 'The token names no key.' });
    const key =
      this.ring.find(kid) ??
      this.ring.verifyingKeys().find((other) => this.keyed.hasSigned(other, token));
    if (key === undefined)
      throw refusal('token_invalid', { cause: 'No key of the application has signed the token.' });
    // One key, one algorithm (RFC 8725 section 3.1), unless the caller says which it takes.
    if (alg !== key.alg && options?.algorithms === undefined) {
      throw refusal('token_invalid', { cause: 'The algorithm is not that of the key.' });
    }
    return key;
  }

  private refuseAccessToken(): Error {
    const why = 'JwtService.verify() was given an access token (type "at+jwt").';
    if (!this.hasWarned) {
      this.hasWarned = true;
      this.log.warn(
        `${why} It was refused: JwtService does not look for a logout. Use TokenService.verify(token).`,
      );
    }
    return refusal('token_invalid', { cause: why });
  }
}

/** Read as JwtService reads it: an empty text is no key. */
function bringsSigningKey(options: JwtSignOptions | undefined): boolean {
  return Boolean(options?.secret || options?.privateKey);
}

function bringsVerifyingKey(options: JwtVerifyOptions | undefined): boolean {
  return Boolean(options?.secret || options?.publicKey);
}
