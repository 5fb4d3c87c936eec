import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthException } from '../errors/auth.exception.js';
import { AuthUnavailableException } from '../errors/unavailable.exception.js';
import { RESOLVED_AUTH_OPTIONS } from '../options/resolved-auth-options.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { RevocationService } from '../revocation/revocation.service.js';
import { JwtStrategy } from './jwt.strategy.js';
import { KeyRing } from './key-ring.service.js';
import { legacySamples } from './legacy/legacy-samples.js';
import { signRaw } from './raw-signature.js';
import { DEFAULT_DEMAND } from './token-demand.js';
import { SELF_TEST_TYPE } from './token-inspector.js';

type Members = Record<string, unknown>;
type SigningKey = ReturnType<KeyRing['signingKey']>;

/**
 * Signs one bad token for each rule at boot and sees the strategy refuse it, and one good token and
 * sees it pass (JW-14). It guards against options that are given where they take no effect, as
 * `jsonWebTokenOptions.issuer` of passport-jwt: nothing else would ever tell.
 *
 * A ring that only verifies cannot sign them; it has no self-test.
 */
@Injectable()
export class AuthSelfTest implements OnModuleInit {
  constructor(
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
    private readonly ring: KeyRing,
    private readonly strategy: JwtStrategy,
    private readonly revocation: RevocationService,
  ) {}

  /** @throws AuthWiringError which stops the boot. */
  async onModuleInit(): Promise<void> {
    const key = this.keyIfAny();
    this.ring.legacy?.warn();
    if (this.ring.legacy?.isOpen() === true) {
      await this.check(...legacySamples(this.ring.legacy.key, key, this.claims()));
    }
    if (key !== undefined) await this.check(this.goodToken(key), this.badTokens(key));
  }

  private async check(good: string, bad: Iterable<readonly [string, string]>): Promise<void> {
    const refusal = await this.outcome(good, true);
    if (refusal !== undefined) throw failure('a good token is refused', refusal);
    for (const [rule, token] of bad) {
      // One after the other: each outcome is a few microseconds, and the first failure stops the boot.
      const outcome = await this.outcome(token, rule !== 'JW-13');
      if (outcome instanceof AuthException && outcome.getStatus() === 401) continue;
      throw failure(`rule ${rule} lets a bad token through`, outcome);
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

  private goodToken(key: SigningKey): string {
    return signRaw(key, JSON.stringify(header(key)), JSON.stringify(this.claims()));
  }

  private *badTokens(key: SigningKey): Generator<[string, string]> {
    const head = header(key);
    const claims = this.claims();
    const good = this.goodToken(key);
    const [first, second] = good.split('.');
    const signed = (top: Members, body: unknown): string =>
      signRaw(key, JSON.stringify(top), JSON.stringify(body));
    yield ['JW-01', signed({ ...head, alg: 'none' }, claims)];
    yield ['JW-01', `${first}.${second}.${'A'.repeat(43)}`];
    yield ['JW-03', signed({ ...head, crit: ['exp'] }, claims)];
    yield ['JW-04', `${good}=`];
    yield ['JW-05', signed({ ...head, typ: SELF_TEST_TYPE }, claims)];
    yield ['JW-06', signed(head, [claims])];
    yield ['JW-07', signed(head, { ...claims, exp: undefined })];
    yield ['JW-08', signed(head, { ...claims, iss: `${this.options.issuer}.` })];
    yield ['JW-08', signed(head, { ...claims, aud: `${this.options.audience}.` })];
    yield ['JW-09', signed({ ...head, kid: `${key.kid}.` }, claims)];
    yield ['JW-10', signRaw(key, JSON.stringify(head), twice('sub', claims))];
    yield ['JW-11', signed(head, { ...claims, jti: 'a\0' })];
    yield ['JW-12', signed(head, null)];
    yield ['JW-13', signed(head, { ...claims, iat: 0, exp: 1 })];
  }

  private claims(): Members {
    const { issuer: iss, audience: aud } = this.options;
    const iat = Math.floor(this.revocation.now() / 1000);
    const id = 'nestjs-logout:self-test';
    return { iss, aud, sub: id, sid: id, jti: id, gen: 0, iat, exp: iat + 1 };
  }

  /** What the strategy reports to passport: a refusal, or `undefined` for success. */
  private outcome(token: string, allowExpired: boolean): Promise<unknown> {
    return new Promise((resolve) => {
      const attempt = Object.create(this.strategy) as JwtStrategy;
      attempt.success = () => resolve(undefined);
      attempt.error = resolve;
      attempt.fail = resolve;
      const request = { headers: { authorization: `Bearer ${token}` }, url: '/' };
      // Allowing expired tokens keeps the revocation, which is not loaded yet, out of the answer.
      attempt.authenticate(request, {
        demand: { ...DEFAULT_DEMAND, allowExpired, claimsOnly: true },
      });
    });
  }
}

function header({ alg, kid }: SigningKey): Members {
  return { alg, typ: 'at+jwt', kid };
}

function twice(name: string, claims: Members): string {
  const json = JSON.stringify(claims);
  return `${json.slice(0, -1)},${JSON.stringify(name)}:"another"}`;
}

function failure(what: string, outcome: unknown): AuthWiringError {
  const told = outcome instanceof AuthException ? String(outcome.cause ?? outcome.code) : '';
  return new AuthWiringError(
    `The self-test of the authentication failed: ${what}${told === '' ? '' : ` (${told})`}.`,
    'Check that the public key belongs to the private key, and that no other module patches passport-jwt.',
  );
}
