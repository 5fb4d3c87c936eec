import {
  Controller,
  type DynamicModule,
  Get,
  Module,
  type ModuleMetadata,
  type Provider,
  UseGuards,
} from '@nestjs/common';
import type { NestApplication } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { CurrentToken, CurrentUser } from '../../lib/authentication/decorators.js';
import { JwtAuthGuard, RoutePolicyReader } from '../../lib/authentication/jwt-auth.guard.js';
import { jwtServiceModule } from '../../lib/authentication/jwt.service.js';
import { JwtStrategy } from '../../lib/authentication/jwt.strategy.js';
import { KeyRing, KeyService } from '../../lib/authentication/key-ring.js';
import { AuthSelfTest } from '../../lib/authentication/self-test.js';
import { COOKIE_MODE, TokenSource } from '../../lib/authentication/token-source.js';
import { TokenVerifier } from '../../lib/authentication/token-verifier.js';
import { VerifiedTokens } from '../../lib/authentication/verified-tokens.js';
import { TOKEN_BINDING } from '../../lib/binding/token-binding.js';
import { OpaqueTokens } from '../../lib/authentication/opaque-tokens.js';
import { TokenService } from '../../lib/authentication/token.service.js';
import { AuthMeter } from '../../lib/events/auth-meter.service.js';
import type { AuthKey, SigningAlgorithm } from '../../lib/options/auth-key.js';
import type { ClaimsValidator } from '../../lib/options/auth-options.js';
import {
  resolveAuthOptions,
  ResolvedAuthOptions,
} from '../../lib/options/resolved-auth-options.js';
import type { TokenIdentity } from '../../lib/options/token-claims.js';
import { RevocationIndex } from '../../lib/revocation/index/revocation-index.js';
import {
  type DecisionDemand,
  type DecisionOptions,
  RevocationDecider,
} from '../../lib/revocation/revocation-decider.service.js';
import { RevocationLog } from '../../lib/revocation/log/revocation-log.service.js';
import { RevocationService } from '../../lib/revocation/revocation.service.js';
import { ProofClock } from '../../lib/revocation/staleness/proof-clock.js';
import { ACTIVE, type Verdict } from '../../lib/revocation/verdict.js';
import { fetchOnce } from './fetch-once.js';
import { signRaw } from './raw-signature.js';

export type SigningKey = AuthKey & { readonly sign: NonNullable<AuthKey['sign']> };
export type Members = Record<string, unknown>;

/** The revocation as the authentication sees it, with a clock that the test controls. */
export class FakeRevocation {
  readonly revokedIds = new Set<string>();
  readonly revokedKeys = new Set<string>();
  readonly asked: { claims: TokenIdentity; options: DecisionOptions }[] = [];
  verdict: Verdict = ACTIVE;
  isLate = false;
  time = 1_700_000_000_000;

  decide(claims: TokenIdentity, kid?: string, demand?: DecisionDemand): Verdict | Promise<Verdict> {
    const { freshness, whenStale } = demand ?? {};
    this.asked.push({ claims, options: { kid, freshness, whenStale } });
    const verdict = this.verdictOf(claims, kid);
    return this.isLate ? Promise.resolve(verdict) : verdict;
  }

  isKeyRevoked(kid: string): boolean {
    return this.revokedKeys.has(kid);
  }

  now(): number {
    return this.time;
  }

  latestNow(): number {
    return this.time;
  }

  private verdictOf(claims: TokenIdentity, kid: string | undefined): Verdict {
    if (kid !== undefined && this.revokedKeys.has(kid)) {
      return { state: 'revoked', kind: 'key', reason: 'key_compromised' };
    }
    if (this.revokedIds.has(claims.jti ?? '') || this.revokedIds.has(claims.sid ?? '')) {
      return { state: 'revoked', kind: 'session', reason: 'logout' };
    }
    return this.verdict;
  }
}

export function hmacKey(kid: string, alg: SigningAlgorithm = 'HS256'): SigningKey {
  const secret = createSecretKey(randomBytes(64));
  return { kid, alg, verify: secret, sign: secret, secretHalf: secret };
}

const pairs = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
};

export function asymmetricKey(kid: string, alg: SigningAlgorithm): SigningKey {
  const pair = alg === 'ES256' ? pairs.p256 : alg === 'ES384' ? pairs.p384 : pairs.rsa;
  const { publicKey: verify, privateKey: sign } = pair;
  return { kid, alg, verify, sign, secretHalf: sign };
}

export function optionsWith(
  keys: readonly AuthKey[],
  {
    validate,
    ...overrides
  }: Partial<Omit<ResolvedAuthOptions, 'validate'>> & { validate?: ClaimsValidator } = {},
): ResolvedAuthOptions {
  const given = { issuer: 'https://issuer.test', audience: 'api', accessTokenTtl: 300, validate };
  return {
    ...resolveAuthOptions({ ...given, secret: 'x'.repeat(32), maxSessions: false }),
    loadKeys: () => Promise.resolve(keys),
    ...overrides,
  };
}

export function headerOf(key: AuthKey): Members {
  return { alg: key.alg, typ: 'at+jwt', kid: key.kid };
}

export function claimsAt(time: number, more: Members = {}): Members {
  const iat = Math.floor(time / 1000);
  return {
    iss: 'https://issuer.test',
    aud: 'api',
    sub: 'alice',
    sid: 'session-1',
    jti: 'token-1',
    gen: 7,
    iat,
    exp: iat + 300,
    ...more,
  };
}

/** A token whose signature is valid; the test chooses header and claims. */
export function mint(key: SigningKey, claims: unknown, header: unknown = headerOf(key)): string {
  const text = (value: unknown): string =>
    typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return signRaw(key, text(header), text(claims));
}

/** What the authentication asks of the revocation. */
const REVOCATION = [
  RevocationDecider,
  RevocationIndex,
  ProofClock,
  RevocationService,
  RevocationLog,
];

/** What AuthModule wires, in its order. */
export function authentication(
  options: ResolvedAuthOptions,
  revocation: FakeRevocation,
): DynamicModule {
  const core: DynamicModule = {
    module: class AuthCoreModule {},
    providers: [
      { provide: ResolvedAuthOptions, useValue: options },
      ...REVOCATION.map((provide) => ({ provide, useValue: revocation })),
      AuthMeter,
      {
        provide: KeyRing,
        useFactory: KeyRing.create,
        inject: [ResolvedAuthOptions, RevocationIndex, ProofClock],
      },
    ],
    exports: [ResolvedAuthOptions, ...REVOCATION, KeyRing, AuthMeter],
  };
  return {
    module: class AuthModule {},
    global: true,
    imports: [core, jwtServiceModule(core)],
    providers: [
      KeyService,
      TokenVerifier,
      VerifiedTokens,
      TokenSource,
      { provide: COOKIE_MODE, useValue: null },
      { provide: TOKEN_BINDING, useValue: null },
      JwtStrategy,
      { provide: OpaqueTokens, useValue: undefined },
      AuthSelfTest,
      RoutePolicyReader,
      JwtAuthGuard,
      TokenService,
    ],
    exports: [core, KeyService, JwtStrategy, RoutePolicyReader, JwtAuthGuard, TokenService],
  };
}

@Controller('me')
@UseGuards(JwtAuthGuard)
export class MeController {
  @Get()
  me(@CurrentUser() user: unknown, @CurrentToken() token: unknown): unknown {
    return { user, token };
  }
}

export type Platform = 'express' | 'fastify';

/** A listening application, and its address. */
export class TestApp {
  constructor(
    readonly app: NestApplication,
    readonly url: string,
  ) {}

  static async start(platform: Platform, metadata: ModuleMetadata): Promise<TestApp> {
    @Module(metadata)
    class AppModule {}
    const testing = await Test.createTestingModule({ imports: [AppModule] }).compile();
    const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter();
    const app = testing.createNestApplication<NestApplication>(adapter as never, { logger: false });
    await app.listen(0, '127.0.0.1');
    return new TestApp(app, await app.getUrl());
  }

  get(path: string, authorization?: string): Promise<Response> {
    return fetchOnce(`${this.url}${path}`, {
      headers: authorization === undefined ? {} : { authorization },
    });
  }

  bearer(token: string, path = '/me'): Promise<Response> {
    return this.get(path, `Bearer ${token}`);
  }

  close(): Promise<void> {
    return this.app.close();
  }
}

/** An application with one guarded route, ready to be asked. */
export function startApp(
  platform: Platform,
  options: ResolvedAuthOptions,
  revocation: FakeRevocation,
  more: { controllers?: ModuleMetadata['controllers']; providers?: Provider[] } = {},
): Promise<TestApp> {
  return TestApp.start(platform, {
    imports: [authentication(options, revocation)],
    controllers: [MeController, ...(more.controllers ?? [])],
    providers: more.providers ?? [],
  });
}

/** Status and code of an answer, for one short comparison. */
export async function answerOf(response: Promise<Response>): Promise<[number, string | undefined]> {
  const answer = await response;
  const body = (await answer.json().catch(() => ({}))) as { code?: string };
  return [answer.status, body.code];
}
