import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { JwtService, type JwtSignOptions, type JwtVerifyOptions } from '@nestjs/jwt';
import * as fc from 'fast-check';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { secretKid } from 'nestjs-logout';
import { sqlite, type TestDatabase } from '../support/databases.js';
import { type Instance, startInstance } from '../support/instance.js';
import { RevocationDecider } from '../support/internals.js';

const RING_SECRET = 'the secret of the ring: at least 32 bytes';
const ISSUER = 'https://issuer.test';
const AUDIENCE = 'https://audience.test';
// Far enough ahead that no second that passes during the test changes an answer.
const LATER = Math.floor(Date.now() / 1000) + 3_600;

function pemOf({ publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject }): {
  publicKey: string;
  privateKey: string;
} {
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

const rsa = pemOf(generateKeyPairSync('rsa', { modulusLength: 2048 }));
const ec = pemOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }));

const SIGNING_KEYS: JwtSignOptions[] = [
  { secret: 'secret A of the call, as an application gives it' },
  { secret: 'secret B of the call, as an application gives it' },
  { secret: Buffer.from('secret A of the call, as an application gives it') },
  { secret: 'short' },
  { privateKey: rsa.privateKey, algorithm: 'RS256' },
  { privateKey: rsa.privateKey, algorithm: 'PS512' },
  { privateKey: ec.privateKey, algorithm: 'ES256' },
  { privateKey: ec.privateKey, algorithm: 'RS256' },
  { privateKey: 'a text as a private key, which is a secret to jsonwebtoken' },
  { secret: 'secret A of the call, as an application gives it', privateKey: rsa.privateKey },
];
const VERIFYING_KEYS: JwtVerifyOptions[] = [
  { secret: 'secret A of the call, as an application gives it' },
  { secret: 'secret B of the call, as an application gives it' },
  { secret: Buffer.from('secret B of the call, as an application gives it') },
  { secret: 'short' },
  { publicKey: rsa.publicKey },
  { publicKey: ec.publicKey },
  { publicKey: Buffer.from(ec.publicKey) },
  { secret: 'secret A of the call, as an application gives it', publicKey: rsa.publicKey },
];
const signing = fc.record(
  {
    algorithm: fc.constantFrom('HS256' as const, 'HS384' as const, 'HS512' as const),
    keyid: fc.constantFrom('reset', '2026-10', secretKid(RING_SECRET)),
    issuer: fc.constantFrom(ISSUER, 'mailer'),
    audience: fc.constantFrom<string | string[]>(AUDIENCE, 'reset', ['reset', AUDIENCE]),
    subject: fc.constantFrom('alice', 'bob'),
    jwtid: fc.constant('id'),
    expiresIn: fc.constantFrom<number | '7d'>(60, '7d', -60),
    notBefore: fc.constantFrom(0, 60),
    noTimestamp: fc.boolean(),
    header: fc.constantFrom({ alg: 'HS256', typ: 'reset+jwt' }, { alg: 'HS512', kid: 'mine' }),
    mutatePayload: fc.boolean(),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<JwtSignOptions>;
const verifying = fc.record(
  {
    algorithms: fc.constantFrom<JwtVerifyOptions['algorithms']>(
      ['HS256'],
      ['HS384', 'HS512'],
      ['RS256', 'PS512', 'ES256'],
    ),
    issuer: fc.constantFrom<JwtVerifyOptions['issuer']>(ISSUER, 'mailer', ['mailer', 'x']),
    audience: fc.constantFrom<JwtVerifyOptions['audience']>(AUDIENCE, 'reset', /^res/),
    subject: fc.constantFrom('alice', 'bob'),
    jwtid: fc.constantFrom('id', 'other'),
    ignoreExpiration: fc.boolean(),
    ignoreNotBefore: fc.boolean(),
    clockTimestamp: fc.constantFrom(1_000, 4_000_000_000),
    clockTolerance: fc.constantFrom(0, 120),
    maxAge: fc.constantFrom<number | '1d'>(1, '1d'),
    complete: fc.boolean(),
    nonce: fc.constantFrom('n', ''),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<JwtVerifyOptions>;

/** What a call gave, or the error that it ended with; a promise and a plain value alike. */
async function outcomeOf(call: () => unknown): Promise<unknown> {
  try {
    return { gives: await call() };
  } catch (error) {
    const { name, message } = error as Error;
    return { fails: `${name}: ${message}` };
  }
}

/** Signatures of RSA-PSS and of EC are random: header and payload are what can be compared. */
function signedPart(outcome: unknown): unknown {
  const { gives } = outcome as { gives?: string };
  return gives === undefined ? outcome : gives.slice(0, gives.lastIndexOf('.'));
}

describe('the exported JwtService beside a plain one of @nestjs/jwt', () => {
  let database: TestDatabase;
  let instance: Instance;
  let ours: JwtService;

  beforeAll(async () => {
    database = await sqlite.create();
    // A fuzz keeps the event loop from polling; a lapsed lease has its own test.
    instance = await startInstance(database, {
      secret: RING_SECRET,
      options: { maxStaleness: '1h' },
    });
    ours = instance.app.get(JwtService, { strict: false });
  });
  afterAll(async () => {
    await instance?.close();
    await database?.drop();
  });

  const payload = fc.constantFrom<() => object>(
    () => ({ sub: 'alice', iat: 1_700_000_000 }),
    () => ({ purpose: 'reset', iat: LATER }),
    () => ({ iat: 1_700_000_000, aud: 'reset', iss: 'mailer' }),
  );

  it('JwtService behaves the same for every option if the call passes a key', async () => {
    const plain = new JwtService({});
    const keys = [fc.constantFrom(...SIGNING_KEYS), fc.constantFrom(...VERIFYING_KEYS)] as const;
    await fc.assert(
      fc.asyncProperty(payload, ...keys, signing, verifying, async (make, sk, vk, more, how) => {
        const signOptions = { ...more, ...sk };
        const expected = await outcomeOf(() => plain.sign(make(), signOptions));
        for (const signed of [
          await outcomeOf(() => ours.sign(make(), signOptions)),
          await outcomeOf(() => ours.signAsync(make(), signOptions)),
        ]) {
          expect(signedPart(signed)).toEqual(signedPart(expected));
        }
        const { gives: token } = expected as { gives?: string };
        if (token === undefined) return;
        const options = { ...how, ...vk };
        const verdict = await outcomeOf(() => plain.verify(token, options));
        expect(await outcomeOf(() => ours.verify(token, options))).toEqual(verdict);
        expect(await outcomeOf(() => ours.verifyAsync(token, options))).toEqual(verdict);
      }),
      { numRuns: 200, endOnFailure: true },
    );
  });

  it('JwtService behaves the same for every option if the module has the key', async () => {
    const module = new JwtService({
      secret: RING_SECRET,
      signOptions: {
        issuer: ISSUER,
        audience: AUDIENCE,
        algorithm: 'HS256',
        keyid: secretKid(RING_SECRET),
      },
      verifyOptions: { issuer: ISSUER, audience: AUDIENCE, algorithms: ['HS256'] },
    });
    const given = (outcome: unknown): unknown => (outcome as { gives?: unknown }).gives;
    await fc.assert(
      fc.asyncProperty(payload, signing, verifying, async (make, signOptions, options) => {
        const expected = await outcomeOf(() => module.sign(make(), signOptions));
        expect(await outcomeOf(() => ours.sign(make(), signOptions))).toEqual(expected);
        expect(await outcomeOf(() => ours.signAsync(make(), signOptions))).toEqual(expected);
        const { gives: token } = expected as { gives?: string };
        if (token === undefined) return;
        const verdict = given(await outcomeOf(() => module.verify(token, options)));
        expect(given(await outcomeOf(() => ours.verify(token, options)))).toEqual(verdict);
        expect(given(await outcomeOf(() => ours.verifyAsync(token, options)))).toEqual(verdict);
      }),
      { numRuns: 200, endOnFailure: true },
    );
  });

  it('JwtService keeps two purposes apart that have a secret each (cases/18)', async () => {
    const mail = await ours.signAsync({ sub: 'alice' }, { secret: 'a'.repeat(40) });
    await expect(ours.verifyAsync(mail, { secret: 'b'.repeat(40) })).rejects.toThrow(
      'invalid signature',
    );
    expect(ours.decode(mail, { complete: true }).header).toEqual({ alg: 'HS256', typ: 'JWT' });
    expect(ours.decode(mail)).not.toHaveProperty('iss');
  });

  it('JwtService treats an empty or undefined secret as none, as @nestjs/jwt does', async () => {
    for (const secret of ['', undefined]) {
      const token = ours.sign({ sub: 'alice' }, { secret } as JwtSignOptions);
      expect(ours.verify(token)).toMatchObject({ sub: 'alice', iss: ISSUER });
    }
  });

  it('JwtService methods that return a promise reject, and never throw', async () => {
    for (const token of ['', 'x.y.z', undefined as unknown as string]) {
      const promise = ours.verifyAsync(token);
      await expect(promise).rejects.toThrow('The token is malformed.');
    }
    await expect(ours.signAsync('text')).rejects.toThrow('Payload as string is not allowed');
  });
});

describe('a token of the exported JwtService', () => {
  let database: TestDatabase;
  let instance: Instance;
  let ours: JwtService;
  const keys = ['one', 'two'].map((kid) => ({
    kid,
    alg: 'HS256' as const,
    secret: `${kid} `.repeat(16),
  }));

  beforeAll(async () => {
    database = await sqlite.create();
    instance = await startInstance(database, { keys, options: { maxStaleness: '1h' } });
    ours = instance.app.get(JwtService, { strict: false });
  });
  afterAll(async () => {
    await instance?.close();
    await database?.drop();
  });

  const refusal = (code: string): unknown => expect.objectContaining({ code });

  it('JwtService refuses an access token, whatever the case of its type', async () => {
    const token = await instance.login();
    expect(() => ours.verify(token)).toThrow(refusal('token_invalid') as never);
    await expect(ours.verifyAsync(token)).rejects.toEqual(refusal('token_invalid'));
    for (const typ of ['AT+JWT', 'application/at+jwt']) {
      const other = ours.sign({}, { header: { alg: 'HS256', typ } });
      expect(() => ours.verify(other)).toThrow(refusal('token_invalid') as never);
    }
  });

  it('JwtService signs and verifies with the key that keyid names', async () => {
    const token = ours.sign({}, { keyid: 'two' });
    const control = new JwtService({ secret: keys[1]!.secret });
    expect(control.verify(token)).toMatchObject({ iss: ISSUER });
    expect(ours.verify(token)).toMatchObject({ iss: ISSUER });
  });

  it('JwtService refuses a token once its key is revoked, also under another kid', async () => {
    const named = ours.sign({ sub: 'alice' });
    const other = ours.sign({ sub: 'alice' }, { keyid: 'reset' });
    const second = ours.sign({ sub: 'alice' }, { keyid: 'two' });
    for (const token of [named, other, second]) expect(ours.verify(token).sub).toBe('alice');
    await instance.logout.revokeKey('one');
    expect(() => ours.verify(named)).toThrow(refusal('key_revoked') as never);
    await expect(ours.verifyAsync(named)).rejects.toEqual(refusal('key_revoked'));
    expect(() => ours.verify(other)).toThrow(refusal('token_invalid') as never);
    await expect(ours.verifyAsync(other)).rejects.toEqual(refusal('token_invalid'));
    expect(ours.verify(second).sub).toBe('alice');
  });

  it('JwtService refuses a token without a kid', () => {
    const token = new JwtService({ secret: keys[1]!.secret }).sign({ iss: ISSUER, aud: AUDIENCE });
    expect(() => ours.verify(token)).toThrow(refusal('token_invalid') as never);
  });

  it('JwtService refuses with 503 before the first load, and in a call that cannot wait for a proof', async () => {
    const token = ours.sign({}, { keyid: 'two' });
    const decider = instance.app.get(RevocationDecider, { strict: false });
    const decide = decider.decide.bind(decider);
    decider.decide = () => Promise.resolve({ state: 'unknown', retryAfter: 1 });
    expect(() => ours.verify(token)).toThrow(refusal('revocation_state_unknown') as never);
    await expect(ours.verifyAsync(token)).rejects.toEqual(refusal('revocation_state_unknown'));
    decider.decide = decide;
    expect(ours.verify(token)).toMatchObject({ iss: ISSUER });
  });
});
