import { type DynamicModule, Injectable, Logger, Module, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { JwtService, type JwtSignOptions, type JwtVerifyOptions } from '@nestjs/jwt';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { type AuthException, refusal } from '../errors/auth.exception.js';
import type { AuthKey } from '../options/auth-key.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { exportedBy } from '../platform/module-graph.js';
import { RevocationDecider } from '../revocation/revocation-decider.service.js';
import { ACTIVE, assertActive, exceptionOf, type Verdict } from '../revocation/verdict.js';
import { KeyRing } from './key-ring.js';
import { headerOf, isAccessTokenType } from './jws.js';

type Payload = string | Buffer | object;

/**
 * Only the key is checked for revocation, because a token for the application's own purpose is no
 * login.
 */
const NO_CLAIMS = Object.freeze({ iss: '' });

const UNKNOWN = Object.freeze({ state: 'unknown', retryAfter: 1 } as const);

/**
 * The `JwtService` of @nestjs/jwt that is injected in modules without a JwtModule of their own.
 *
 * A call that passes a secret or key works as in plain @nestjs/jwt. Any other call uses the key
 * ring, `issuer` and `audience`, unless its options override them. It refuses tokens of a revoked
 * key and access tokens (`at+jwt`): verify access tokens with `TokenService.verify()`, because only
 * that checks for a logout.
 */
// A factory creates it, because the first parameter of an injectable would inherit @Inject() from
// JwtService.
class RingJwtService extends JwtService {
  private readonly log = new Logger('JwtService');
  private hasWarned = false;

  constructor(
    private readonly ring: KeyRing,
    private readonly decider: RevocationDecider,
    private readonly settings: ResolvedAuthOptions,
  ) {
    super({});
  }

  /** @throws AuthUnavailableException `no_signing_key` if no key of the ring may sign. */
  override sign(payload: Payload, options?: JwtSignOptions): string {
    if (bringsSigningKey(options)) return super.sign(payload as object, options);
    return this.signer(options).sign(payload as object, options);
  }

  override async signAsync(payload: Payload, options?: JwtSignOptions): Promise<string> {
    if (bringsSigningKey(options)) return super.signAsync(payload as object, options);
    return this.signer(options).signAsync(payload as object, options);
  }

  /**
   * @throws Error the errors of jsonwebtoken.
   * @throws AuthUnauthorizedException `key_revoked`; `token_invalid` for an access token or an
   * unknown key; `token_malformed`.
   * @throws AuthUnavailableException `revocation_state_unknown` if no proof is fresh enough.
   * `verifyAsync` waits for one.
   */
  override verify<T extends object>(token: string, options?: JwtVerifyOptions): T {
    if (bringsVerifyingKey(options)) return super.verify<T>(token, options);
    const key = this.keyOf(token, options);
    const claims = this.ring.jwtOf(key).verify<T>(token, options);
    const verdict = this.judge(key);
    if (verdict instanceof Promise) {
      verdict.catch(() => undefined);
      throw exceptionOf(UNKNOWN);
    }
    assertActive(verdict);
    return claims;
  }

  override async verifyAsync<T extends object>(
    token: string,
    options?: JwtVerifyOptions,
  ): Promise<T> {
    if (bringsVerifyingKey(options)) return super.verifyAsync<T>(token, options);
    const key = this.keyOf(token, options);
    const claims = await this.ring.jwtOf(key).verifyAsync<T>(token, options);
    assertActive(await this.judge(key));
    return claims;
  }

  /**
   * If `keyid` is the kid of a key of the ring, that key signs. Any other text is only written into
   * the header.
   */
  private signer(options: JwtSignOptions | undefined): JwtService {
    return this.ring.jwtOf(this.ring.signingKey(options?.keyid));
  }

  private judge({ kid }: AuthKey): Verdict | Promise<Verdict> {
    // A process that does not follow the log does not know revoked keys (`follow: false`).
    if (!this.settings.follow) return ACTIVE;
    return this.decider.decide(NO_CLAIMS, kid);
  }

  private keyOf(token: string, options: JwtVerifyOptions | undefined): AuthKey {
    const { alg, kid, typ } = headerOf(String(token));
    if (isAccessTokenType(typ)) throw this.refuseAccessToken();
    // A token without a kid could not be refused after its key was revoked.
    if (typeof kid !== 'string') throw invalid('The token names no key.');
    const key =
      this.ring.find(kid)?.key ??
      this.ring.verifyingKeys().find((other) => hasSigned(other, token));
    if (key === undefined) throw invalid('No key of the application has signed the token.');
    // One key has one algorithm (RFC 8725 section 3.1), unless the caller passes its own list.
    if (alg !== key.alg && options?.algorithms === undefined) {
      throw invalid('The algorithm is not that of the key.');
    }
    return key;
  }

  private refuseAccessToken(): Error {
    const why = 'JwtService.verify() was given an access token (type "at+jwt").';
    if (!this.hasWarned) {
      this.hasWarned = true;
      this.log.warn(
        `${why} It was refused, because JwtService does not check whether the token was logged out. Use TokenService.verify(token).`,
      );
    }
    return invalid(why);
  }
}

/** As in JwtService, an empty string is no key. */
function bringsSigningKey(options: JwtSignOptions | undefined): boolean {
  return Boolean(options?.secret || options?.privateKey);
}

function bringsVerifyingKey(options: JwtVerifyOptions | undefined): boolean {
  return Boolean(options?.secret || options?.publicKey);
}

/** Whether this key signed a token, whatever its claims are. */
function hasSigned({ verify }: AuthKey, token: string): boolean {
  try {
    const anyTime = { ignoreExpiration: true, ignoreNotBefore: true };
    new JwtService({ secret: verify }).verify(token, anyTime);
    return true;
  } catch {
    return false;
  }
}

function invalid(cause: string): AuthException {
  return refusal('token_invalid', { cause });
}

/**
 * Checks at boot that no other global module exports `JwtService`. Which of two is injected would
 * depend on the order of imports, and so would the key that signs the application's tokens.
 */
@Injectable()
class OnlyGlobalJwtService implements OnModuleInit {
  constructor(private readonly modules: ModulesContainer) {}

  /** @throws AuthWiringError that names the other module. */
  onModuleInit(): void {
    for (const module of this.modules.values()) {
      if (module.metatype === JwtServiceModule || !module.isGlobal) continue;
      if (exportedBy(module, JwtService) === undefined) continue;
      throw new AuthWiringError(
        `Two global modules export JwtService: ${module.metatype.name} and AuthModule.`,
        'Keep yours: AuthModule.forRoot({ exportJwtService: false, … }).',
        'Or keep that of AuthModule: remove `global` from your module, and import JwtModule where you need it.',
      );
    }
  }
}

const PROVIDER = {
  provide: JwtService,
  inject: [KeyRing, RevocationDecider, ResolvedAuthOptions],
  useFactory: (ring: KeyRing, decider: RevocationDecider, options: ResolvedAuthOptions) =>
    new RingJwtService(ring, decider, options),
};

/**
 * Provides `JwtService` to modules that have none of their own. It is a global module, and
 * AuthModule does not export it: Nest searches the imports of a module before global modules, so a
 * JwtModule that a module imports always takes precedence.
 */
@Module({})
class JwtServiceModule {}

/**
 * The module that provides `JwtService` (option `exportJwtService`).
 *
 * @param core - The module with the key ring and the revocation services.
 */
export function jwtServiceModule(core: DynamicModule): DynamicModule {
  return {
    module: JwtServiceModule,
    global: true,
    imports: [core],
    providers: [PROVIDER, OnlyGlobalJwtService],
    exports: [JwtService],
  };
}
