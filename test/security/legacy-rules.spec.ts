import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createSecretKey, hash } from 'node:crypto';
import { JwtService } from '@nestjs/jwt';
import { AuthException, secretKid, TokenService } from 'nestjs-logout';
import {
  answerOf,
  claimsAt,
  FakeRevocation,
  headerOf,
  hmacKey,
  mint,
  optionsWith,
  startApp,
  type Members,
  type Platform,
  type SigningKey,
  type TestApp,
} from '../support/authentication-parts.js';

const SHORT = 'secretKey';
const JWT = { alg: 'HS256', typ: 'JWT' };
const DAY = 86_400;

function keyOf(secret: string): SigningKey {
  const material = createSecretKey(secret, 'utf8');
  return {
    kid: secretKid(material),
    alg: 'HS256',
    verify: material,
    sign: material,
    secretHalf: material,
  };
}

describe.each<Platform>(['express', 'fastify'])('tokens of the recipe on %s', (platform) => {
  const own = hmacKey('own');
  const old = keyOf(SHORT);
  const revocation = new FakeRevocation();
  const { time } = revocation;
  const until = time + 60 * DAY * 1000;
  const iat = Math.floor(time / 1000);
  let app: TestApp;

  const recipe = (more: Members = {}, header: Members = JWT): string =>
    mint(old, { username: 'john', sub: 1, iat, exp: iat + 60, ...more }, header);
  /** By the guard and by TokenService alike. */
  const codeOf = async (token: string): Promise<string> => {
    const [status, code = 'accepted'] = await answerOf(app.bearer(token));
    const verified = await app.app
      .get(TokenService)
      .verify(token)
      .then(
        () => 'accepted',
        (error: unknown) => (error instanceof AuthException ? error.code : 'another error'),
      );
    expect(verified).toBe(code);
    expect(status).toBe(code === 'accepted' ? 200 : 401);
    return code;
  };

  beforeAll(async () => {
    const legacy = { key: old, until, signs: false, isShort: true };
    app = await startApp(
      platform,
      optionsWith([own], { legacy, maxTokenLife: 366 * DAY * 1000 }),
      revocation,
    );
  });
  afterAll(() => app.close());
  beforeEach(() => {
    revocation.time = time;
    revocation.revokedKeys.clear();
  });

  it.each<[string, Members, Members?]>([
    ['as the recipe makes them', {}],
    ['without typ', {}, { alg: 'HS256' }],
    ['with a text as sub', { sub: 'john' }],
    ['with our iss and aud', { iss: 'https://issuer.test', aud: ['api', 'other'] }],
    ['with ids of the application', { sid: 7, jti: 'x', gen: 'Z' }],
    ['of 31 days', { iat: iat - DAY, exp: iat + 30 * DAY }],
  ])('legacy tokens are accepted %s', async (...[, claims, header]) => {
    expect(await codeOf(recipe(claims, header))).toBe('accepted');
  });

  it.each<[string, Members, Members?]>([
    ['with another type', {}, { alg: 'HS256', typ: 'at+jwt' }],
    ['with a type that is not a string', {}, { alg: 'HS256', typ: null }],
    ['with the name of a key', {}, { ...JWT, kid: 'own' }],
    ['with the name of their own key', {}, { ...JWT, kid: old.kid }],
    ['with no name in its place', {}, { ...JWT, kid: null }],
    ['with alg none', {}, { ...JWT, alg: 'none' }],
    ['with another alg', {}, { ...JWT, alg: 'HS512' }],
    ['with crit', {}, { ...JWT, crit: [] }],
    ['with b64', {}, { ...JWT, b64: false }],
    ['without sub', { sub: undefined }],
    ['with an empty sub', { sub: '' }],
    ['with half a character in sub', { sub: '\ud800' }],
    ['with a fraction as sub', { sub: 1.5 }],
    ['with a sub that no number holds', { sub: 2 ** 53 }],
    ['with an object as sub', { sub: { id: 1 } }],
    ['without iat', { iat: undefined }],
    ['without exp', { exp: undefined }],
    ['with a text as exp', { exp: String(iat + 60) }],
    ['of tomorrow', { iat: iat + DAY, exp: iat + 2 * DAY }],
    ['not valid yet', { nbf: iat + 3600 }],
    ['of 31 days and a second', { exp: iat + 31 * DAY + 1 }],
    ['of another issuer', { iss: 'https://other' }],
    ['of no issuer by name', { iss: null }],
    ['for another API', { aud: 'other' }],
  ])('legacy tokens are refused %s', async (...[, claims, header]) => {
    expect(await codeOf(recipe(claims, header))).toBe('token_invalid');
  });

  it('legacy tokens are refused if expired, forged, respelt, ambiguous, or not an object', async () => {
    expect(await codeOf(recipe({ iat: iat - 100, exp: iat - 50 }))).toBe('token_expired');
    const good = recipe();
    expect(await codeOf(`${good.slice(0, good.lastIndexOf('.'))}.${'A'.repeat(43)}`)).toBe(
      'token_invalid',
    );
    expect(await codeOf(`${good}=`)).toBe('token_malformed');
    const claims = { sub: 1, iat, exp: iat + 60 };
    for (const payload of [
      [claims],
      'hello',
      'null',
      `{"sub":2,${JSON.stringify(claims).slice(1)}`,
      `{"__proto__":{},${JSON.stringify(claims).slice(1)}`,
      JSON.stringify(claims).replace('}', ',"exp":1e309}'),
    ]) {
      expect(await codeOf(mint(old, payload, JWT))).toBe('token_invalid');
    }
  });

  it('each key verifies only its own kind of token', async () => {
    expect(await codeOf(mint(own, { sub: 1, iat, exp: iat + 60 }, JWT))).toBe('token_invalid');
    expect(await codeOf(mint(old, claimsAt(time), headerOf(own)))).toBe('token_invalid');
    expect(await codeOf(mint(old, claimsAt(time), headerOf(old)))).toBe('token_invalid');
  });

  it('a token that the application signs for another purpose is refused', async () => {
    const reset = app.app.get(JwtService, { strict: false }).sign({ sub: 'alice', iat });
    expect(await codeOf(reset)).toBe('token_invalid');
  });

  it('legacy tokens are checked as tokens of our own issuer, by a digest of the payload', async () => {
    const token = recipe({ sid: 'theirs', gen: 99, jti: 'theirs' });
    revocation.asked.length = 0;
    const answer = (await (await app.bearer(token)).json()) as { token: Members };
    const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url');
    const jti = `nestjs-logout:legacy:${hash('sha256', payload, 'hex')}`;
    const claims = {
      username: 'john',
      iss: 'https://issuer.test',
      sub: '1',
      jti,
      iat,
      exp: iat + 60,
    };
    expect(answer.token).toEqual(claims);
    expect(revocation.asked).toMatchObject([{ claims, options: { kid: old.kid } }]);
    expect(Object.keys(revocation.asked[0]?.claims ?? {})).not.toEqual(
      expect.arrayContaining(['gen']),
    );
  });

  it('a token with all our claims is checked by every rule', async () => {
    const ours = (more: Members = {}): string => mint(old, claimsAt(time, more), JWT);
    expect(await codeOf(ours())).toBe('accepted');
    expect(revocation.asked.at(-1)?.claims).toMatchObject({ sid: 'session-1', gen: 7 });
    for (const change of [{ iss: 'x' }, { aud: 'x' }, { sid: 1 }, { jti: '' }, { gen: -1 }]) {
      expect(await codeOf(ours(change))).toBe('token_invalid');
    }
  });

  it('legacy tokens are refused after the configured date, and once their secret is revoked', async () => {
    const late = recipe({ iat: until / 1000 - 60, exp: until / 1000 + 60 });
    revocation.time = until - 1;
    expect(await codeOf(late)).toBe('accepted');
    revocation.revokedKeys.add(old.kid);
    expect(await codeOf(late)).toBe('key_revoked');
    revocation.revokedKeys.clear();
    revocation.time = until;
    expect(await codeOf(late)).toBe('token_invalid');
  });
});
