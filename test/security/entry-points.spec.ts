import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  UseGuards,
} from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { AuthGuard } from '@nestjs/passport';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  AccessTokenGuard,
  AccountService,
  AuthException,
  JwtAuthGuard,
  kidOf,
  RevocationGuard,
  type TokenClaims,
} from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { sqlite, type TestDatabase } from '../support/databases.js';
import {
  type Ending,
  ENDINGS,
  ENTRY_POINTS,
  type EntryPoint,
  entryPointsMarkdown,
  TABLE,
} from '../support/entry-points.js';
import { type Instance, startInstance } from '../support/instance.js';
import { codeOf, KeyRing, ProofClock, TokenIntrospector } from '../support/internals.js';

const MINUTE = 60_000;

/** In place of another authentication, which verified the token. */
@Injectable()
class ForeignAuthentication implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest();
    request.user = new JwtService({}).decode(request.headers.authorization.split(' ')[1]);
    return true;
  }
}

@Injectable()
class ForeignRevocationGuard extends RevocationGuard {
  protected override getClaims(context: ExecutionContext): TokenClaims {
    return context.switchToHttp().getRequest().user;
  }
}

@Controller()
class EntryController {
  @Get('guard')
  @UseGuards(JwtAuthGuard)
  guard(): object {
    return {};
  }

  @Get('accessTokenGuard')
  @UseGuards(AccessTokenGuard)
  accessTokenGuard(): object {
    return {};
  }

  @Get('strategy')
  @UseGuards(AuthGuard('jwt'))
  strategy(): object {
    return {};
  }

  @Get('revocationGuard')
  @UseGuards(ForeignAuthentication, ForeignRevocationGuard)
  revocationGuard(): object {
    return {};
  }
}

/** One login, and its tokens. */
interface Presented {
  readonly access: string;
  readonly claims: TokenClaims;
  readonly refresh: string;
  /** A token that the application signed for its own purpose. */
  readonly own: string;
}

describe('docs/entry-points.md', () => {
  it('docs/entry-points.md is up to date (else: node build/test/support/write-entry-points.js)', () => {
    expect(readFileSync('docs/entry-points.md', 'utf8')).toBe(entryPointsMarkdown());
  });
});

describe.each(['express', 'fastify'] as const)('what each entry point refuses (%s)', (platform) => {
  let database: TestDatabase;
  let instance: Instance;
  let clock: TestClock;
  let jwt: JwtService;
  let accounts: AccountService;
  let url: string;

  beforeAll(async () => {
    database = await sqlite.migrated();
    clock = new TestClock();
    const routes = { http: { verifyCredentials: () => null, mayIntrospect: () => true } };
    instance = await startInstance(database, {
      clock,
      platform,
      controllers: [EntryController],
      keys: ['first', 'second'].map((kid) => ({
        kid,
        alg: 'HS256' as const,
        secret: `the secret of the ${kid} key: 32 bytes or more`,
      })),
      options: {
        strategyName: 'jwt',
        apiTokens: true,
        accessTokenTtl: '5m',
        refreshTokenTtl: '5m',
        claims: () => ({}),
        ...routes,
      },
    });
    jwt = instance.app.get(JwtService, { strict: false });
    accounts = instance.app.get(AccountService);
    await instance.app.listen(0, '127.0.0.1');
    url = await instance.app.getUrl();
  });
  afterAll(async () => {
    await instance?.close();
    await database?.drop();
  });

  async function logIn(subject: string): Promise<Presented> {
    const login = await instance.sessions.login(async () => ({ subject }), {
      client: 'web',
      grant: subject,
    });
    const access = login?.accessToken ?? '';
    const claims = new JwtService({}).decode<TokenClaims>(access);
    const { iss: _iss, aud: _aud, iat: _iat, exp: _exp, ...ids } = claims;
    return { access, claims, refresh: login?.refreshToken ?? '', own: jwt.sign(ids) };
  }

  /** The same login with other times, signed as the library signs. */
  function withTimes(
    given: Presented,
    times: object,
    own: Parameters<JwtService['sign']>[1],
  ): Presented {
    const { iss: _iss, aud: _aud, ...claims } = { ...given.claims, ...times };
    const key = instance.app.get(KeyRing, { strict: false }).signingKey();
    const header = { alg: key.alg, typ: 'at+jwt' };
    const access = instance.app.get(KeyRing, { strict: false }).jwtOf(key).sign(claims, { header });
    return {
      ...given,
      access,
      claims: new JwtService({}).decode(access),
      own: jwt.sign({ sub: claims.sub }, own),
    };
  }

  const ask: Record<EntryPoint, (given: Presented) => Promise<string>> = {
    guard: ({ access }) => overHttp('guard', access),
    accessTokenGuard: ({ access }) => overHttp('accessTokenGuard', access),
    strategy: ({ access }) => overHttp('strategy', access),
    revocationGuard: ({ access }) => overHttp('revocationGuard', access),
    assertActive: ({ claims, access }) =>
      outcomeOf(() => instance.revocation.assertActive(claims, { kid: kidOf(access) })),
    decide: async ({ claims, access }) => {
      const verdict = await instance.revocation.decide(claims, { kid: kidOf(access) });
      return verdict.state === 'active' ? 'accepted' : codeOf(verdict);
    },
    tokenService: ({ access }) => outcomeOf(() => instance.tokens.verify(access)),
    introspection: ({ access }) =>
      outcomeOf(async () => {
        const introspector = instance.app.get(TokenIntrospector, { strict: false });
        if (!(await introspector.introspect(access)).active) throw new Error('inactive');
      }),
    jwtService: async ({ own }) => {
      const outcome = await outcomeOf(() => jwt.verify(own));
      expect(await outcomeOf(() => jwt.verifyAsync(own))).toBe(outcome);
      return outcome;
    },
    refresh: ({ refresh }) => outcomeOf(() => instance.sessions.refresh(refresh)),
  };

  async function overHttp(path: string, token: string): Promise<string> {
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${url}/${path}`, { headers });
    const { code } = (await response.json()) as { code?: string };
    return response.ok ? 'accepted' : (code ?? `status ${response.status}`);
  }

  async function outcomeOf(call: () => unknown): Promise<string> {
    try {
      await call();
      return 'accepted';
    } catch (error) {
      if (error instanceof AuthException) return error.code;
      const { name, message } = error as Error;
      return name === 'Error' ? message : name;
    }
  }

  const end: Record<Ending, (given: Presented) => Promise<Presented | void>> = {
    token: async ({ claims: { sid: _sid, ...claims } }) => {
      await instance.logout.logout(claims as TokenClaims);
    },
    session: async ({ claims }) => {
      await instance.logout.logoutSession(claims.sid ?? '');
    },
    subject: async ({ claims }) => {
      await instance.logout.logoutAll(claims.sub);
    },
    client: async ({ claims }) => {
      await instance.logout.logoutAll(claims.sub, { client: 'web' });
    },
    grant: async ({ claims }) => {
      await instance.logout.logoutGrant(claims.sub);
    },
    accessOnly: async ({ claims }) => {
      await accounts.claimsChanged(claims.sub);
    },
    disabled: async ({ claims }) => {
      await accounts.disable(claims.sub);
    },
    locked: async ({ claims }) => {
      await accounts.lock(claims.sub, '15m');
    },
    removed: async ({ claims }) => {
      await accounts.remove(claims.sub);
    },
    issuer: async () => {
      await instance.logout.revokeEveryone();
    },
    key: async ({ access }) => {
      await instance.logout.revokeKey(kidOf(access) ?? '');
    },
    expiry: async (given) => {
      clock.advance(5 * MINUTE + 10_000);
      await instance.feed.strictProof();
      return { ...given, own: jwt.sign({}, { expiresIn: -60 }) };
    },
    notBefore: async (given) => {
      const nbf = given.claims.iat + 120;
      return withTimes(given, { nbf }, { notBefore: 120 });
    },
    unknown: async () => {
      jest.spyOn(instance.app.get(ProofClock, { strict: false }), 'isFresh').mockReturnValue(false);
      jest.spyOn(instance.feed, 'failing', 'get').mockReturnValue(true);
    },
  };

  const endings = Object.keys(ENDINGS) as Ending[];
  const points = Object.keys(ENTRY_POINTS) as EntryPoint[];

  it.each(endings)('each entry point answers as in the table after: %s', async (ending) => {
    const alive = await logIn(randomUUID());
    for (const point of points.filter((one) => one !== 'refresh')) {
      expect([point, await ask[point](alive)]).toEqual([point, 'accepted']);
    }
    const ended = (await end[ending](alive)) ?? alive;
    try {
      const found: Record<string, string> = {};
      for (const point of points) found[point] = await ask[point](ended);
      const stated = points.map((point) => {
        const cell = TABLE[ending][point];
        return [point, 'refuses' in cell ? cell.refuses : 'accepted'];
      });
      expect(found).toEqual(Object.fromEntries(stated));
    } finally {
      jest.restoreAllMocks();
    }
  });

  it('assertActive checks the times where checkTimes says so', async () => {
    const alive = await logIn(randomUUID());
    const judge = ({ claims, access }: Presented): Promise<string> =>
      outcomeOf(() =>
        instance.revocation.assertActive(claims, { kid: kidOf(access), checkTimes: true }),
      );
    expect(await judge(alive)).toBe('accepted');
    const early = withTimes(alive, { nbf: alive.claims.iat + 120 }, {});
    expect(await judge(early)).toBe('token_invalid');
    clock.advance(5 * MINUTE + 4_000);
    await instance.feed.strictProof();
    expect(await judge(alive)).toBe('accepted');
    clock.advance(1_000);
    expect(await judge(alive)).toBe('token_expired');
  });
});
