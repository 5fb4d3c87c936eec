import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  Logger,
  Req,
  UseGuards,
} from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import { JwtAuthGuard, kidOf, RevocationGuard, RevocationService } from 'nestjs-logout';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { randomUUID } from 'node:crypto';
import { sqlite, type TestDatabase } from '../support/databases.js';
import { type Instance, startInstance } from '../support/instance.js';

const PARTNER = 'https://partner.test';
const TRUSTED = 'https://trusted.test';
const SECRETS: Record<string, string> = {
  good: 'the secret of the good key: 32 bytes or more',
  leaked: 'the secret of the leaked key: 32 bytes or more',
};

/** Finds its key by the header, as strategies with several keys do. */
@Injectable()
class OwnStrategy extends PassportStrategy(Strategy, 'own') {
  constructor(private readonly revocation: RevocationService) {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKeyProvider: (
        _request: unknown,
        token: string,
        done: (error: null, secret?: string) => void,
      ) => done(null, SECRETS[kidOf(token) ?? 'good']),
      passReqToCallback: true,
    });
  }

  async validate(
    request: { headers: Record<string, string> },
    payload: Record<string, string>,
  ): Promise<unknown> {
    const token = ExtractJwt.fromAuthHeaderAsBearerToken()(request as never);
    await this.revocation.assertActive(payload, { kid: kidOf(token) });
    return payload;
  }
}

@Injectable()
class PartnerStrategy extends PassportStrategy(Strategy, 'partner-of-kids') {
  constructor() {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKeyProvider: (
        _request: unknown,
        token: string,
        done: (error: null, secret?: string) => void,
      ) => done(null, SECRETS[kidOf(token) ?? 'good']),
    });
  }

  validate(payload: unknown): unknown {
    return payload;
  }
}

@Injectable()
class PartnerRevocationGuard extends RevocationGuard {
  protected override getClaims(context: ExecutionContext): object {
    return context.switchToHttp().getRequest().user;
  }
}

@Controller()
class KidController {
  @Get('own')
  @UseGuards(AuthGuard('own'))
  own(): object {
    return {};
  }

  @Get('partner')
  @UseGuards(AuthGuard('partner-of-kids'), PartnerRevocationGuard)
  partner(): object {
    return {};
  }

  @Get('both')
  @UseGuards(JwtAuthGuard, RevocationGuard)
  both(@Req() request: { headers: Record<string, string> }): object {
    return { by: request.headers['authorization'] === undefined ? 'cookie' : 'header' };
  }
}

describe('tokens of a revoked key behind another authentication', () => {
  let database: TestDatabase;
  let instance: Instance;
  let url: string;

  beforeAll(async () => {
    database = await sqlite.migrated();
    instance = await startInstance(database, {
      controllers: [KidController],
      providers: [OwnStrategy, PartnerStrategy],
      keys: [{ kid: 'current', alg: 'HS256', secret: 'the secret of this ring: 32 bytes or more' }],
      options: {
        foreign: [PARTNER, TRUSTED].map((issuer) => ({
          issuer,
          maxTokenLife: '1h',
          maxSessionLife: '30d',
        })),
        acceptWithoutKid: [TRUSTED],
      },
    });
    await instance.app.listen(0, '127.0.0.1');
    url = await instance.app.getUrl();
  });
  afterAll(async () => {
    await instance?.close();
    await database?.drop();
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  const claims = (iss: string): { iss: string; iat: number; exp: number } => {
    const iat = Math.floor(Date.now() / 1000) - 10;
    return { iss, sub: 'alice', jti: randomUUID(), iat, exp: iat + 600 } as never;
  };
  const sign = (kid: 'good' | 'leaked', keyid: string | undefined = kid): string =>
    new JwtService({ secret: SECRETS[kid] ?? '' }).sign(
      claims(PARTNER),
      keyid === '' ? {} : { keyid },
    );
  const ask = async (path: string, token: string): Promise<[number, string | undefined]> => {
    const response = await fetch(`${url}/${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return [response.status, ((await response.json()) as { code?: string }).code];
  };
  const linesOf = (level: 'warn' | 'error'): string[] => {
    const lines: string[] = [];
    jest.spyOn(Logger.prototype, level).mockImplementation((line) => void lines.push(String(line)));
    return lines;
  };

  it('tokens are accepted until their key is revoked, with one warning if no kid is passed', async () => {
    const warnings = linesOf('warn');
    for (const path of ['own', 'partner']) {
      expect(await ask(path, sign('leaked'))).toEqual([200, undefined]);
      expect(await ask(path, sign('good'))).toEqual([200, undefined]);
    }
    expect(warnings).toEqual([]);
    expect(await ask('partner', sign('good', ''))).toEqual([200, undefined]);
    await instance.revocation.assertActive(claims(PARTNER));
    await instance.revocation.decide(claims(PARTNER));
    expect(warnings).toEqual([expect.stringMatching(/kid: kidOf\(token\)/)]);
  });

  describe('after revokeKey()', () => {
    beforeAll(() => instance.logout.revokeKey('leaked', { issuer: PARTNER }));

    it('tokens of a revoked key are refused by an own strategy and by RevocationGuard, and those of other keys are not', async () => {
      for (const path of ['own', 'partner']) {
        expect([path, ...(await ask(path, sign('leaked')))]).toEqual([path, 401, 'key_revoked']);
        expect([path, ...(await ask(path, sign('good')))]).toEqual([path, 200, undefined]);
      }
    });

    it('tokens without a kid are refused, with one error that says what to do', async () => {
      const errors = linesOf('error');
      for (const path of ['own', 'partner']) {
        expect([path, ...(await ask(path, sign('good', '')))]).toEqual([path, 401, 'key_revoked']);
      }
      const refusal = expect.objectContaining({ code: 'key_revoked' });
      await expect(instance.revocation.assertActive(claims(PARTNER))).rejects.toEqual(refusal);
      expect(await instance.revocation.decide(claims(PARTNER))).toMatchObject({
        state: 'revoked',
        kind: 'key',
      });
      expect(errors).toEqual([expect.stringMatching(/kidOf\(token\).*acceptWithoutKid/)]);
    });

    it('tokens without a kid are accepted if acceptWithoutKid names their issuer', async () => {
      await instance.revocation.assertActive(claims(TRUSTED));
      const kid = 'leaked';
      await expect(instance.revocation.assertActive(claims(TRUSTED), { kid })).rejects.toEqual(
        expect.objectContaining({ code: 'key_revoked' }),
      );
    });

    it('RevocationGuard behind JwtAuthGuard needs no kid, because JwtAuthGuard checks the key', async () => {
      expect(await ask('both', await instance.login())).toEqual([200, undefined]);
    });
  });
});

describe('kidOf', () => {
  it.each([
    ['no token', undefined],
    ['null', null],
    ['an empty text', ''],
    ['garbage', 'x.y.z'],
    ['a header that is null', `${Buffer.from('null').toString('base64url')}.e30.x`],
    ['a kid that is not a string', `${Buffer.from('{"kid":7}').toString('base64url')}.e30.x`],
    ['an empty kid', `${Buffer.from('{"kid":""}').toString('base64url')}.e30.x`],
    ['a header without a kid', `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.e30.x`],
  ])('kidOf returns undefined for %s', (_, token) => {
    expect(kidOf(token)).toBeUndefined();
  });
});

describe('the option acceptWithoutKid', () => {
  it.each([['https://unknown.test'], [7]])(
    'acceptWithoutKid stops the boot for %j, which is not registered',
    (issuer) => {
      const options = { acceptWithoutKid: [issuer] as never };
      return expect(
        sqlite.migrated().then((database) => startInstance(database, { options })),
      ).rejects.toThrow(/acceptWithoutKid\[0\]/);
    },
  );
});
