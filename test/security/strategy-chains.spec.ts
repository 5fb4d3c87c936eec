import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  Get,
  Injectable,
  Req,
  type Type,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import { JwtAuthGuard } from 'nestjs-logout';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { Strategy as CustomStrategy } from 'passport-strategy';
import { sqlite, type TestDatabase } from '../support/databases.js';
import { type Instance, startInstance } from '../support/instance.js';
import { RevocationDecider } from '../support/internals.js';

const SECRET = 'a secret of the tests: 32 bytes or more';
const PARTNER = 'the secret of the partner, 32 bytes or more';

@Injectable()
class PartnerStrategy extends PassportStrategy(Strategy, 'partner') {
  constructor() {
    super({ jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(), secretOrKey: PARTNER });
  }

  validate({ sub }: { sub: string }): unknown {
    return { sub, by: 'partner' };
  }
}

@Injectable()
class AnonymousStrategy extends PassportStrategy(CustomStrategy, 'nobody') {
  override authenticate(): void {
    this.success({ by: 'nobody' });
  }

  validate(): unknown {
    return undefined;
  }
}

type Handle = <TUser>(error: unknown, user: TUser, info: unknown) => TUser;

/** A guard with an override of handleRequest as applications write them. */
function overriding<T extends Type<CanActivate>>(Base: T, handle: Handle): Type<CanActivate> {
  class OverridingGuard extends (Base as Type<CanActivate>) {
    handleRequest(error: unknown, user: unknown, info: unknown): unknown {
      return handle(error, user, info);
    }
  }
  return OverridingGuard;
}

const usual: Handle = (error, user) => {
  if (error || !user) throw error || new UnauthorizedException();
  return user;
};
const lenient: Handle = <TUser>(_error: unknown, user: TUser) => user ?? (null as TUser);
const onlyUser: Handle = (_error, user) => {
  if (!user) throw new UnauthorizedException();
  return user;
};
const asynchronous = (async (error: unknown, user: unknown) => {
  if (error || !user) throw error || new UnauthorizedException();
  return user;
}) as Handle;
const ownWords: Handle = (error, user) => {
  if (error || !user) throw new UnauthorizedException('Log in first.');
  return user;
};
const passingOn: Handle = (error, user, info) => {
  if (user) return user;
  const refusal = [error, info].flat().find((one) => one instanceof Error);
  throw refusal ?? new UnauthorizedException();
};

const GUARDS: Record<string, Type<CanActivate>> = {
  guard: JwtAuthGuard,
  usual: overriding(JwtAuthGuard, usual),
  lenient: overriding(JwtAuthGuard, lenient),
  'only-user': overriding(JwtAuthGuard, onlyUser),
  asynchronous: overriding(JwtAuthGuard, asynchronous),
  'own-words': overriding(JwtAuthGuard, ownWords),
  plain: AuthGuard('jwt'),
  'plain-passing-on': overriding(AuthGuard('jwt'), passingOn),
  'jwt-partner': AuthGuard(['jwt', 'partner']),
  'partner-jwt': AuthGuard(['partner', 'jwt']),
  'chain-passing-on': overriding(AuthGuard(['jwt', 'partner']), passingOn),
  'jwt-nobody': AuthGuard(['jwt', 'nobody']),
};

const controllers = Object.entries(GUARDS).map(([path, Guard]) => {
  @Controller(path)
  @UseGuards(Guard)
  class ChainController {
    @Get()
    get(@Req() { user }: { user?: unknown }): unknown {
      return { user: user ?? null };
    }
  }
  return ChainController;
});

describe.each(['express', 'fastify'] as const)('strategies in a chain (%s)', (platform) => {
  let database: TestDatabase;
  let instance: Instance;
  let url: string;
  const tokens: Record<string, string | undefined> = {};

  beforeAll(async () => {
    database = await sqlite.create();
    instance = await startInstance(database, {
      platform,
      controllers,
      providers: [PartnerStrategy, AnonymousStrategy],
      options: { strategyName: 'jwt' },
      keys: [
        { kid: 'one', alg: 'HS256', secret: SECRET },
        { kid: 'leaked', alg: 'HS256', secret: 'the leaked secret, of at least 32 bytes' },
      ],
    });
    await instance.app.listen(0, '127.0.0.1');
    url = await instance.app.getUrl();
    tokens['own'] = await instance.login('alice');
    tokens['ended'] = await instance.login('bob');
    await instance.logout.logoutAll('bob');
    tokens['partner'] = new JwtService({ secret: PARTNER }).sign({ sub: 'carol' });
    tokens['garbage'] = 'garbage';
    tokens['forged'] = `${tokens['own'].slice(0, -43)}${'A'.repeat(43)}`;
    tokens['other-type'] = new JwtService({ secret: SECRET }).sign({ sub: 'a' }, { keyid: 'one' });
    tokens['expired'] = signed('one', { exp: 1_000, iat: 900 });
    tokens['not-yet'] = signed('one', { nbf: Math.floor(Date.now() / 1000) + 3_000 });
    tokens['other-issuer'] = signed('one', { iss: 'https://other.test' });
    tokens['other-audience'] = signed('one', { aud: 'other' });
    tokens['revoked-key'] = signed('leaked', {});
    await instance.logout.revokeKey('leaked');
  });
  afterAll(async () => {
    await instance?.close();
    await database?.drop();
  });

  /** An access token as ours, with some claims changed. */
  function signed(kid: string, claims: object): string {
    const own = new JwtService({}).decode(tokens['own'] ?? '');
    const secret = kid === 'one' ? SECRET : 'the leaked secret, of at least 32 bytes';
    const header = { alg: 'HS256', typ: 'at+jwt', kid };
    return new JwtService({ secret }).sign({ ...own, ...claims }, { header });
  }

  const ask = async (path: string, token?: string): Promise<[number, unknown]> => {
    const text = token === undefined ? undefined : tokens[token];
    const headers = text === undefined ? {} : { authorization: `Bearer ${text}` };
    const response = await fetch(`${url}/${path}`, { headers });
    const body = (await response.json()) as { user?: { sub?: string }; code?: string };
    return [response.status, response.ok ? body.user : body.code];
  };
  const user = (sub: string): unknown => expect.objectContaining({ sub });

  it.each(['jwt-partner', 'partner-jwt', 'chain-passing-on'])(
    '%s accepts our own tokens and those of the partner',
    async (path) => {
      expect(await ask(path, 'own')).toEqual([200, user('alice')]);
      expect(await ask(path, 'partner')).toEqual([200, { sub: 'carol', by: 'partner' }]);
    },
  );

  const notOurs = ['garbage', 'forged', 'other-type', 'other-issuer', 'other-audience'];
  const oursAndBad = [
    ['ended', 'session_ended'],
    ['expired', 'token_expired'],
    ['not-yet', 'token_invalid'],
    ['revoked-key', 'key_revoked'],
  ] as const;

  it.each([undefined, ...notOurs])('a strategy after ours is asked about %s', async (token) => {
    expect(await ask('jwt-nobody', token)).toEqual([200, { by: 'nobody' }]);
  });

  it.each(oursAndBad)('no strategy after ours is asked about %s: %s', async (token, code) => {
    for (const path of ['jwt-nobody', 'jwt-partner', 'chain-passing-on', 'plain']) {
      expect([path, ...(await ask(path, token))]).toEqual([path, 401, code]);
    }
  });

  it('two tokens and a token in the query end the chain with 400', async () => {
    const query = await fetch(`${url}/jwt-nobody?access_token=${tokens['own']}`);
    expect([query.status, await query.json()]).toEqual([
      400,
      expect.objectContaining({ code: 'invalid_request' }),
    ]);
  });

  it('a token that cannot be decided ends the chain with 503', async () => {
    const decider = instance.app.get(RevocationDecider, { strict: false });
    const decide = decider.decide.bind(decider);
    decider.decide = () => ({ state: 'unknown', retryAfter: 1 });
    for (const path of ['guard', 'usual', 'only-user', 'jwt-nobody', 'chain-passing-on']) {
      const answer = await ask(path, 'own');
      expect([path, ...answer]).toEqual([path, 503, 'revocation_state_unknown']);
    }
    decider.decide = decide;
  });

  const codes: [string | undefined, string][] = [
    [undefined, 'token_missing'],
    ['garbage', 'token_malformed'],
    ...notOurs.slice(1).map((token): [string, string] => [token, 'token_invalid']),
    ...oursAndBad.map(([token, code]): [string, string] => [token, code]),
  ];

  it.each(codes)('JwtAuthGuard and its usual overrides answer %s with %s', async (token, code) => {
    const paths = ['guard', 'usual', 'only-user', 'asynchronous', 'plain-passing-on'];
    for (const path of paths) {
      expect([path, ...(await ask(path, token))]).toEqual([path, 401, code]);
    }
  });

  it.each(codes)('an override with its own messages keeps them for %s (%s)', async (token) => {
    const text = token === undefined ? undefined : tokens[token];
    const headers = text === undefined ? {} : { authorization: `Bearer ${text}` };
    const response = await fetch(`${url}/own-words`, { headers });
    expect([response.status, await response.json()]).toEqual([
      401,
      expect.objectContaining({ message: 'Log in first.' }),
    ]);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm="api"/);
  });

  it.each(codes)(
    'return user ?? null gives no user for %s (%s), as in the recipe',
    async (token) => {
      const [status, given] = await ask('lenient', token);
      expect([status, Boolean(given)]).toEqual([200, false]);
    },
  );

  it.each([undefined, ...notOurs])(
    'a plain AuthGuard answers %s with Nest’s 401',
    async (token) => {
      for (const path of ['plain', 'jwt-partner']) {
        expect([path, ...(await ask(path, token))]).toEqual([path, 401, undefined]);
      }
    },
  );
});
