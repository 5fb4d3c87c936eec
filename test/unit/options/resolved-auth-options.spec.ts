import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { AuthOptions, ClaimsValidator } from '../../../lib/options/auth-options.js';
import { AuthWiringError } from '../../../lib/errors/auth-wiring.error.js';
import { secretKid } from '../../../lib/options/key-material.js';
import { resolveAuthOptions } from '../../../lib/options/resolved-auth-options.js';
import { UNBOUNDED } from '../../../lib/options/operation-settings.js';
import type { TokenClaims } from '../../../lib/options/token-claims.js';
import { BAD_KEYS } from './bad-keys.js';
import { BAD_OPTIONS } from './bad-options.js';
import { catchInvalid, expectNoSecret } from './catch-invalid.js';
import * as sample from './key-samples.js';

const good = { secret: sample.secret, issuer: 'shop', audience: 'shop-api' };
const named = { issuer: 'shop', audience: 'shop-api' };

/** Past the compiler, as an application without types or with a careless cast would. */
function resolveAnything(options: unknown): ReturnType<typeof resolveAuthOptions> {
  return resolveAuthOptions(options as AuthOptions);
}

describe('bad options', () => {
  it.each(BAD_OPTIONS)('a bad option is refused: %s', (_name, change, option, fix) => {
    const options: Record<string, unknown> = { ...good };
    for (const name of Object.keys(change))
      Object.defineProperty(options, name, { value: change[name], enumerable: true });
    const error = catchInvalid(() => resolveAnything(options));
    expect(error.problems.map((problem) => problem.option)).toEqual([option]);
    expect(error.problems[0]?.fix).toContain(fix);
    expect(error.message).toContain(`${option}: ${error.problems[0]?.given} was given.`);
    expectNoSecret(error.message);
  });

  it.each(BAD_KEYS)('keys: %s', (_name, keys, option, fix) => {
    const error = catchInvalid(() => resolveAnything({ ...named, keys }));
    expect(error.problems.find((one) => one.option === option)?.fix).toContain(fix);
    expectNoSecret(error.message);
  });

  it.each([undefined, null, sample.secret, 42, [], () => good])(
    'a value that is not an object is refused: %#',
    (options) => {
      const error = catchInvalid(() => resolveAnything(options));
      expect(error.problems.map(({ option }) => option)).toEqual(['options']);
      expectNoSecret(error.message);
    },
  );

  it('the error never shows a secret that was put into the wrong option', () => {
    for (const name of [
      ...Object.keys(good),
      'accessTokenTtl',
      'migrations',
      'schema',
      'validate',
      'jwtSecret',
      'foreign',
      'keys',
    ]) {
      const options = { ...good, secret: undefined, [name]: `${sample.secret} ` };
      expectNoSecret(catchInvalid(() => resolveAnything({ ...options, zebra: 1 })).message);
    }
  });

  it('the error never shows a URL, which may hold a password, however short it is', () => {
    const error = catchInvalid(() => resolveAnything({ ...good, schema: 'pg://u:hunter2@h/d' }));
    expect(error.message).not.toContain('hunter2');
  });

  it('the error lists all wrong options at once', () => {
    const error = catchInvalid(() =>
      resolveAnything({ secret: 'changeme', issuer: 'shop', accessTokenTtl: '900', zebra: true }),
    );
    expect(error).toBeInstanceOf(AuthWiringError);
    expect(error.name).toBe('InvalidAuthOptionsError');
    const fixes = error.problems.map(({ fix }) => fix);
    expect(error.message).toBe(
      [
        'The options of AuthModule cannot be used: 4 options are wrong.',
        `1. 'zebra': a boolean was given. ${fixes[0]}`,
        `2. audience: nothing was given. ${fixes[1]}`,
        `3. accessTokenTtl: '900' was given. ${fixes[2]}`,
        `4. secret: a string of 8 characters was given. ${fixes[3]}`,
      ].join('\n  '),
    );
  });

  it('every option has at least one row of bad values', () => {
    const known = catchInvalid(() => resolveAnything({ ...good, zebra: 1 })).problems[0]?.fix ?? '';
    const names = known.replace(/^.*Known are: (.*)\.$/, '$1').split(', ');
    const seen = new Set([...BAD_OPTIONS, ...BAD_KEYS].map((row) => row[2].split(/[.[]/)[0]));
    expect(names.length).toBeGreaterThanOrEqual(17);
    expect(names.filter((name) => !seen.has(name))).toEqual([]);
  });
});

describe('good options', () => {
  it('defaults are as documented, in milliseconds', () => {
    const { loadKeys, ...rest } = resolveAuthOptions(good);
    expect(loadKeys).toEqual(expect.any(Function));
    expect(rest).toEqual({
      issuer: 'shop',
      audience: 'shop-api',
      accessTokenTtl: 900_000,
      accessTokens: 'jwt',
      sessionTtl: 2_592_000_000,
      sessionIdleTtl: 1_209_600_000,
      refreshTokenTtl: 1_209_600_000,
      refreshGrace: 10_000,
      refreshGraceRetries: 100,
      historyFor: 86_400_000,
      maxSessions: new Map([['*', 100]]),
      claims: undefined,
      clockTolerance: 5_000,
      maxStaleness: 5_000,
      staleWait: 250,
      whenStale: 5_000,
      openAcknowledgedBy: undefined,
      observeUntil: undefined,
      overrideCeiling: undefined,
      follow: true,
      maxTokenLife: 900_000,
      foreign: [],
      acceptWithoutKid: [],
      legacy: undefined,
      allowedClaims: [],
      dataSource: undefined,
      migrations: 'check',
      schema: undefined,
      tablePrefix: undefined,
      newLog: false,
      bootTimeout: 10_000,
      verifiedTokens: 10_000,
      strategyName: undefined,
      publicMetadataKey: undefined,
      validate: undefined,
    });
  });

  it('a session may be idle for as long as its refresh token is valid, unless sessionIdleTtl is set', () => {
    const idle = (more: Partial<AuthOptions>): number =>
      resolveAuthOptions({ ...good, ...more } as AuthOptions).sessionIdleTtl;
    expect(idle({ refreshTokenTtl: '2h' })).toBe(7_200_000);
    expect(idle({ refreshTokenTtl: '60d' })).toBe(60 * 86_400_000);
    expect(idle({ refreshTokenTtl: '2h', sessionIdleTtl: '3h' })).toBe(10_800_000);
    expect(idle({ refreshTokenTtl: '2h', sessionIdleTtl: 60 })).toBe(60_000);
  });

  it('undefined means the default', () => {
    const options: AuthOptions = { ...good, maxStaleness: undefined, migrations: undefined };
    expect(resolveAuthOptions(options)).toMatchObject({ maxStaleness: 5_000, migrations: 'check' });
  });

  it('values are accepted as they are, up to the limits', () => {
    const validate: ClaimsValidator = (claims) => claims.sub;
    const dataSource = { type: 'postgres', url: 'postgres://u:p@h/db' } as const;
    const given: AuthOptions = {
      ...good,
      accessTokenTtl: '31d',
      clockTolerance: '60s',
      maxStaleness: '500ms',
      staleWait: 0,
      foreign: [{ issuer: 'https://other', maxTokenLife: '1h', maxSessionLife: 3600 }],
      allowedClaims: ['pin'],
      dataSource,
      migrations: 'run',
      schema: 'auth_1',
      bootTimeout: 0,
      strategyName: 'jwt',
      publicMetadataKey: 'isPublic',
      validate,
    };
    const resolved = resolveAuthOptions(given);
    expect(resolved).toMatchObject({
      accessTokenTtl: 31 * 86_400_000,
      clockTolerance: 60_000,
      maxStaleness: 500,
      staleWait: 0,
      maxTokenLife: 31 * 86_400_000,
      foreign: [{ issuer: 'https://other', maxTokenLife: 3_600_000, maxSessionLife: 3_600_000 }],
      allowedClaims: ['pin'],
      migrations: 'run',
      schema: 'auth_1',
      bootTimeout: 0,
      strategyName: 'jwt',
      publicMetadataKey: 'isPublic',
    });
    expect(resolved.dataSource).toBe(dataSource);
    expect(resolved.validate?.source?.validate).toBe(validate);
  });

  it('maxTokenLife is the longest token of any issuer', () => {
    const foreign = [{ issuer: 'o', maxTokenLife: '2h', maxSessionLife: '1d' }];
    expect(resolveAuthOptions({ ...good, foreign }).maxTokenLife).toBe(7_200_000);
  });

  it('legacy accepts a secret of any length, for at most a year', () => {
    const { legacy, maxTokenLife } = resolveAuthOptions({
      ...good,
      legacy: { secret: 'secretKey', until: new Date(Date.now() + 3_600_000) },
    });
    expect(legacy).toMatchObject({ isShort: true, signs: false, key: { alg: 'HS256' } });
    expect(legacy?.key.kid).toBe(secretKid('secretKey'));
    expect([Object.isFrozen(legacy), Object.isFrozen(legacy?.key)]).toEqual([true, true]);
    expect(maxTokenLife).toBe(31 * 86_400_000);
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
    for (const until of [tomorrow, tomorrow.slice(0, 10), tomorrow.replace('Z', '+00:00')]) {
      const resolved = resolveAuthOptions({
        ...good,
        legacy: { secret: sample.secret, until, sign: true },
      });
      expect(resolved.legacy).toMatchObject({
        isShort: false,
        signs: true,
        until: Date.parse(until),
      });
    }
  });

  it('a function for keys cannot give the secret of legacy another kid', async () => {
    const legacy = { secret: sample.secret, until: new Date(Date.now() + 3_600_000) };
    const keys = (): never =>
      [{ kid: 'leaked', alg: 'HS256', secret: sample.secret }] as unknown as never;
    await expect(resolveAuthOptions({ ...named, keys, legacy }).loadKeys()).rejects.toThrow(
      secretKid(sample.secret),
    );
  });

  it('one number says how much staleness the module accepts', () => {
    const staleness = (more: object): number => resolveAnything({ ...good, ...more }).whenStale;
    expect(staleness({ maxStaleness: 2 })).toBe(2_000);
    expect(staleness({ whenStale: { staleFor: '10m' } })).toBe(600_000);
    expect(staleness({ whenStale: { staleFor: '7d' } })).toBe(7 * 86_400_000);
    expect(staleness({ whenStale: 'open' })).toBe(UNBOUNDED);
    expect(UNBOUNDED * 1_000).toBeLessThan(Number.MAX_SAFE_INTEGER);
  });

  it('observe accepts 30 days, and a date that has passed', () => {
    for (const days of [30, -1]) {
      const until = new Date(Date.now() + days * 86_400_000);
      expect(resolveAuthOptions({ ...good, observe: { until } }).observeUntil).toBe(+until);
    }
  });

  describe('in production', () => {
    const { NODE_ENV } = process.env;
    beforeEach(() => {
      process.env['NODE_ENV'] = 'production';
    });
    afterEach(() => {
      process.env['NODE_ENV'] = NODE_ENV;
    });

    it.each([{ whenStale: 'open' }, { overrideCeiling: 'open' }] as const)(
      "'open' in production needs the name of who decided it: %j",
      (open) => {
        const { problems } = catchInvalid(() => resolveAuthOptions({ ...good, ...open }));
        expect(problems.map(({ option }) => option)).toEqual(['openAcknowledgedBy']);
        const openAcknowledgedBy = 'CTO, ticket 7';
        expect(resolveAuthOptions({ ...good, ...open, openAcknowledgedBy })).toMatchObject({
          openAcknowledgedBy,
        });
      },
    );

    it('{ staleFor } in production needs no name', () => {
      const options: AuthOptions = { ...good, whenStale: { staleFor: '10m' } };
      expect(resolveAuthOptions(options).whenStale).toBe(600_000);
    });
  });

  it('resolved options are frozen, and later changes to the input have no effect', () => {
    const foreign = [{ issuer: 'o', maxTokenLife: 60, maxSessionLife: 60 }];
    const allowedClaims = ['pin'];
    const resolved = resolveAuthOptions({ ...good, foreign, allowedClaims });
    foreign.length = 0;
    allowedClaims.push('password');
    expect(resolved.foreign).toHaveLength(1);
    expect(resolved.allowedClaims).toEqual(['pin']);
    const parts = [resolved, resolved.foreign, resolved.foreign[0], resolved.allowedClaims];
    expect(parts.map((part) => Object.isFrozen(part))).toEqual([true, true, true, true]);
  });

  it('options may be an object with getters', () => {
    class Options {
      readonly issuer = 'shop';
      readonly audience = 'shop-api';
      get secret(): string {
        return sample.secret;
      }
    }
    expect(resolveAuthOptions(new Options()).issuer).toBe('shop');
  });

  it('a plain secret becomes an HS256 key with a derived kid', async () => {
    const keys = await resolveAuthOptions(good).loadKeys();
    expect(keys.map(({ kid, alg }) => [kid, alg])).toEqual([[secretKid(sample.secret), 'HS256']]);
  });

  it('a function for keys is called at each load, and its result is checked', async () => {
    const answers: unknown[] = [
      [{ kid: '1', alg: 'HS256', secret: sample.secret }],
      [{ kid: '2', alg: 'HS256', secret: 'short' }],
      new Error('the vault is sealed'),
      [],
    ];
    const keys = async (): Promise<never> => {
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer as never;
    };
    const { loadKeys } = resolveAuthOptions({ ...named, keys });
    expect(answers).toHaveLength(4);
    await expect(loadKeys()).resolves.toMatchObject([{ kid: '1' }]);
    await expect(loadKeys()).rejects.toThrow('keys[0].secret: a string of 5 characters was given.');
    await expect(loadKeys()).rejects.toThrow('the vault is sealed');
    await expect(loadKeys()).rejects.toThrow('keys: an array of 0 was given.');
  });
});

describe('the type of the options', () => {
  it('the type requires issuer, audience and one of secret and keys', () => {
    // @ts-expect-error neither secret nor keys
    const neither: AuthOptions = { ...named };
    // @ts-expect-error both
    const both: AuthOptions = { ...good, keys: [{ alg: 'HS256', secret: sample.secret }] };
    // @ts-expect-error no audience
    const nowhere: AuthOptions = { secret: sample.secret, issuer: 'shop' };
    // @ts-expect-error a key pair without kid
    const nameless: AuthOptions = { ...named, keys: [{ alg: 'ES256', privateKey: 'x' }] };
    // @ts-expect-error an unknown option
    const unknown: AuthOptions = { ...good, zebra: 1 };
    for (const options of [neither, both, nowhere, nameless, unknown])
      catchInvalid(() => resolveAuthOptions(options));
  });

  it('validate may declare its own claims and request types', () => {
    interface MyClaims extends TokenClaims {
      readonly name: string;
    }
    const validate = ({ name }: MyClaims, request: { url: string }): string => name + request.url;
    const resolved = resolveAuthOptions({ ...good, validate });
    expect(resolved.validate?.source?.validate).toBe(validate);
  });
});
