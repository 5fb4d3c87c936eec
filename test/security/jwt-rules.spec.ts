import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import type { SigningAlgorithm } from 'nestjs-logout';
import {
  answerOf,
  asymmetricKey,
  claimsAt,
  FakeRevocation,
  headerOf,
  hmacKey,
  type Members,
  mint,
  optionsWith,
  type Platform,
  type SigningKey,
  startApp,
  type TestApp,
} from '../support/authentication-parts.js';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

function base64url(text: string | Buffer): string {
  return Buffer.from(text).toString('base64url');
}

/** Sends bytes that `fetch` would not send; returns the status. */
function rawRequest(url: string, lines: string[]): Promise<number> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.end(
        ['GET /me HTTP/1.1', 'Host: x', 'Connection: close', ...lines, '', ''].join('\r\n'),
        'latin1',
      );
    });
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('end', () => resolve(Number(text.slice(9, 12))));
    socket.on('error', reject);
  });
}

describe.each<Platform>(['express', 'fastify'])('the rules for tokens on %s', (platform) => {
  const hs = hmacKey('hs');
  const rs = asymmetricKey('rs', 'RS256');
  const ps = asymmetricKey('ps', 'PS256');
  const es = asymmetricKey('es', 'ES256');
  const es384 = asymmetricKey('es384', 'ES384');
  const revocation = new FakeRevocation();
  const { time } = revocation;
  let app: TestApp;

  const claims = (more: Members = {}): Members => claimsAt(time, more);
  const codeOf = (token: string): Promise<[number, string | undefined]> =>
    answerOf(app.bearer(token));
  const refused = async (token: string, code = 'token_invalid'): Promise<void> =>
    expect(await codeOf(token)).toEqual([401, code]);
  const accepted = async (token: string): Promise<void> =>
    expect(await codeOf(token)).toEqual([200, undefined]);

  beforeAll(async () => {
    app = await startApp(platform, optionsWith([hs, rs, ps, es, es384]), revocation);
  });
  afterAll(() => app.close());
  beforeEach(() => {
    revocation.time = time;
  });

  it('a valid token of each key is accepted', async () => {
    for (const key of [hs, rs, ps, es, es384]) await accepted(mint(key, claims()));
  });

  it('JW-01: each key accepts its one algorithm only', async () => {
    await refused(
      `${base64url('{"alg":"none","typ":"at+jwt","kid":"hs"}')}.${base64url(JSON.stringify(claims()))}.`,
      'token_malformed',
    );
    await refused(mint(hs, claims(), { ...headerOf(hs), alg: 'none' }));
    await refused(mint(hs, claims(), { ...headerOf(hs), alg: 'hs256' }));
    await refused(mint(hs, claims(), { ...headerOf(hs), alg: ['HS256'] }));
    const signedAs = (key: SigningKey, alg: SigningAlgorithm): string =>
      mint({ ...key, alg }, claims(), { ...headerOf(key), alg });
    for (const alg of ['RS384', 'RS512', 'PS256', 'PS512'] as const)
      await refused(signedAs(rs, alg));
    await refused(signedAs(hs, 'HS512'));
    // The classic: the public key as the secret of an HMAC.
    const pem = rs.verify.export({ type: 'spki', format: 'pem' });
    const input = `${base64url('{"alg":"HS256","typ":"at+jwt","kid":"rs"}')}.${base64url(JSON.stringify(claims()))}`;
    await refused(`${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`);
  });

  it('JW-02: only keys of the ring sign and verify, so a short foreign key is useless', async () => {
    const input = `${base64url(JSON.stringify(headerOf(hs)))}.${base64url(JSON.stringify(claims()))}`;
    for (const secret of ['', 'a', 'secret']) {
      await refused(`${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`);
    }
  });

  it('JW-03: a token with crit or b64 is refused', async () => {
    for (const crit of [['exp2'], [], ['b64'], 'exp', null]) {
      await refused(mint(hs, claims(), { ...headerOf(hs), crit }));
    }
    await refused(mint(hs, claims(), { ...headerOf(hs), b64: false }));
    await refused(mint(hs, claims(), { ...headerOf(hs), b64: true }));
  });

  it('JW-04: a valid token in any other spelling is refused', async () => {
    for (const key of [hs, rs, ps, es]) {
      const token = mint(key, claims());
      const codes = new Set<number>();
      for (const digit of DIGITS) {
        if (!token.endsWith(digit))
          codes.add((await app.bearer(token.slice(0, -1) + digit)).status);
      }
      expect([...codes]).toEqual([401]);
      const [header = '', payload = '', signature = ''] = token.split('.');
      for (const other of [
        `${token}=`,
        `${token}==`,
        `${token}.`,
        `.${token}`,
        `${header}=.${payload}.${signature}`,
        `${header}.${payload}=.${signature}`,
        `${header}..${signature}`,
        `${header}.${payload}`,
        `${header}.${payload}.`,
        `${header}.${payload}.${signature.slice(0, 8)}\t${signature.slice(8)}`,
        `${header}.${payload}.${signature.slice(0, 8)} ${signature.slice(8)}`,
        `${header}.${payload}.${signature.replace(/[-_]/g, '+')}+`,
      ]) {
        await refused(other, 'token_malformed');
      }
    }
  });

  it('JW-04: a payload with unused bits set is refused, although it is signed', async () => {
    const sign = (header: string, payload: string): string =>
      `${header}.${payload}.${createHmac('sha256', hs.verify).update(`${header}.${payload}`).digest('base64url')}`;
    const twin = (text: string): string => {
      const part = base64url(text);
      return part.slice(0, -1) + DIGITS[DIGITS.indexOf(part.slice(-1)) + 1];
    };
    const json = JSON.stringify(claims());
    const padded = [
      json,
      JSON.stringify(claims({ a: 'x' })),
      JSON.stringify(claims({ a: 'xx' })),
    ].find((text) => text.length % 3 !== 0);
    await refused(sign(base64url(JSON.stringify(headerOf(hs))), twin(padded ?? '')));
    const header = [headerOf(hs), { ...headerOf(hs), x: 'y' }, { ...headerOf(hs), x: 'yy' }]
      .map((members) => JSON.stringify(members))
      .find((text) => text.length % 3 !== 0);
    await refused(sign(twin(header ?? ''), base64url(json)), 'token_malformed');
  });

  it('JW-05: a token needs the type at+jwt', async () => {
    for (const typ of [
      'JWT',
      'logout+jwt',
      'dpop+jwt',
      'secevent+jwt',
      'rt+jwt',
      'at+jwt ',
      '',
      null,
      ['at+jwt'],
      7,
    ]) {
      await refused(mint(hs, claims(), { ...headerOf(hs), typ }));
    }
    await refused(mint(hs, claims(), { alg: 'HS256', kid: 'hs' }));
    for (const typ of ['AT+JWT', 'application/at+jwt', 'Application/AT+jwt']) {
      await accepted(mint(hs, claims(), { ...headerOf(hs), typ }));
    }
  });

  it('JW-05: a debug line reports a token of another type, without the token', async () => {
    const debug = jest.spyOn(Logger.prototype, 'debug').mockImplementation(() => undefined);
    const token = mint(hs, claims(), { ...headerOf(hs), typ: 'reset+jwt' });
    await refused(token);
    expect(debug).toHaveBeenCalledWith(expect.stringContaining('"reset+jwt"'));
    expect(JSON.stringify(debug.mock.calls)).not.toContain(token.slice(0, 20));
    debug.mockRestore();
  });

  it('JW-06: a payload needs to be an object', async () => {
    for (const payload of [
      '"hello"',
      'hello',
      '[]',
      '7',
      'null',
      'true',
      '',
      `[${JSON.stringify(claims())}]`,
      '{',
      '{"a":}',
      "{'a':1}",
      '{"a":1,}',
      '\ufeff{}',
    ]) {
      const [status] = await codeOf(mint(hs, payload));
      expect([payload, status]).toEqual([payload, 401]);
    }
  });

  it.each(['exp', 'iat', 'sub', 'jti', 'sid', 'iss', 'aud', 'gen'])(
    'JW-07: a token needs the claim %s, with its type',
    async (name) => {
      await refused(mint(hs, claims({ [name]: undefined })));
      const others: unknown[] = [null, true, {}, [], [[]], '', { toString: 'x' }];
      if (name !== 'aud') others.push(['api']);
      others.push(['exp', 'iat', 'gen'].includes(name) ? '1700000000' : 7);
      for (const value of others) await refused(mint(hs, claims({ [name]: value })));
    },
  );

  it('JW-07: a token needs finite times, a lifetime within the limit, and no iat in the future', async () => {
    const iat = time / 1000;
    const json = JSON.stringify(claims());
    await refused(mint(hs, json.replace(/"exp":\d+/, '"exp":1e309')));
    await refused(mint(hs, json.replace(/"iat":\d+/, '"iat":-1e309')));
    await refused(mint(hs, claims({ exp: (iat + 300) * 1000 })));
    await refused(mint(hs, claims({ exp: iat + 301 })));
    await refused(mint(hs, claims({ iat: iat + 6, exp: iat + 300 })));
    await accepted(mint(hs, claims({ iat: iat + 5, exp: iat + 300 })));
    await refused(mint(hs, claims({ iat: 2_524_608_000, exp: 2_524_608_001 })));
    await refused(mint(hs, claims({ nbf: iat + 6 })));
    await refused(mint(hs, claims({ nbf: 'now' })));
    await accepted(mint(hs, claims({ nbf: iat + 5 })));
  });

  it('JW-07: a gen needs to be a possible position of a log', async () => {
    for (const gen of [-1, 1.5, 2 ** 53, '7']) await refused(mint(hs, claims({ gen })));
    await accepted(mint(hs, claims({ gen: 0 })));
  });

  it('JW-08: issuer and audience are compared exactly', async () => {
    for (const iss of [
      'https://issuer.test/',
      'HTTPS://issuer.test',
      'https://issuer',
      ['https://issuer.test'],
    ]) {
      await refused(mint(hs, claims({ iss })));
    }
    for (const aud of ['API', 'ap', 'apis', ['other'], ['api', 7], [], { 0: 'api' }]) {
      await refused(mint(hs, claims({ aud })));
    }
    await accepted(mint(hs, claims({ aud: ['other', 'api'] })));
  });

  it('JW-09: keys come from the configuration only', async () => {
    for (const kid of [
      '__proto__',
      'constructor',
      'toString',
      '../../dev/null',
      "' UNION SELECT 'x",
      'HS',
      'hs ',
      '',
      null,
      7,
      ['hs'],
      {},
    ]) {
      await refused(mint(hs, claims(), { ...headerOf(hs), kid }));
    }
    await refused(mint(hs, claims(), { alg: 'HS256', typ: 'at+jwt' }));
    const stranger = asymmetricKey('mine', 'RS256');
    const other = hmacKey('mine');
    const jwk = stranger.verify.export({ format: 'jwk' });
    await refused(mint(stranger, claims(), { ...headerOf(stranger), jwk }));
    await refused(mint(other, claims(), { ...headerOf(other), jku: `${app.url}/keys` }));
    await refused(
      mint(other, claims(), { ...headerOf(hs), x5u: `${app.url}/keys`, x5c: ['MII'], x5t: 'x' }),
    );
    // The same members on a token that a key of ours has signed change nothing.
    await accepted(mint(hs, claims(), { ...headerOf(hs), jku: `${app.url}/keys`, jwk }));
  });

  it('JW-10: a duplicate name, and __proto__, are refused', async () => {
    const json = JSON.stringify(claims());
    for (const more of [
      ',"sub":"bob"}',
      ',"jti":"other"}',
      ',"\\u0073ub":"bob"}',
      ',"a":{"b":1,"b":2}}',
      ',"a":[{"b":1,"b":2}]}',
      ',"__proto__":{"admin":true}}',
      ',"a":{"__proto__":{"admin":true}}}',
      ',"\\u005f_proto__":{"admin":true}}',
    ]) {
      await refused(mint(hs, json.slice(0, -1) + more));
    }
    const head = JSON.stringify(headerOf(hs)).slice(0, -1);
    for (const more of [
      ',"alg":"HS256"}',
      ',"kid":"rs"}',
      ',"__proto__":{}}',
      ',"\\u0061lg":"none"}',
    ]) {
      await refused(mint(hs, claims(), head + more), 'token_malformed');
    }
    // The same in a value is a value.
    await accepted(mint(hs, claims({ a: '__proto__', b: '"__proto__":' })));
    await accepted(mint(hs, claims({ a: { sub: 'bob' }, b: [{ sub: 1 }, { sub: 2 }] })));
  });

  it('JW-10: the output of other serialisers is accepted', async () => {
    await accepted(mint(hs, JSON.stringify(claims(), null, 2)));
    await accepted(mint(hs, JSON.stringify(claims()).replace('alice', '\\u0061lice')));
    await accepted(mint(hs, claims(), JSON.stringify(headerOf(hs), null, 1)));
  });

  it('JW-11: ids are never changed, and ill-formed ones are refused', async () => {
    for (const id of [
      'ABC',
      'abc',
      'a ',
      ' a',
      '\u00e9',
      'e\u0301',
      '\u{1f600}',
      'constructor',
      '__proto__',
    ]) {
      const answer = await app.bearer(mint(hs, claims({ sub: id, jti: id })));
      expect(((await answer.json()) as { token: Members }).token).toMatchObject({
        sub: id,
        jti: id,
      });
    }
    for (const id of ['', 'a\0b', '\ud800', 'x'.repeat(256)]) {
      for (const name of ['sub', 'jti', 'sid']) await refused(mint(hs, claims({ [name]: id })));
    }
    await accepted(mint(hs, claims({ sub: 'x'.repeat(255) })));
    const json = JSON.stringify(claims());
    await refused(mint(hs, json.replace('alice', '\\ud800')));
    const bytes = Buffer.from(json.replace('alice', 'al#ce'));
    bytes[bytes.indexOf('#')] = 0xff;
    const input = `${base64url(JSON.stringify(headerOf(hs)))}.${base64url(bytes)}`;
    await refused(`${input}.${createHmac('sha256', hs.verify).update(input).digest('base64url')}`);
  });

  it('JW-12: every malformed token gets 401 or 400, and none a 500', async () => {
    const rightly = (key: SigningKey): string[] => {
      const [header = '', payload = '', signature = ''] = mint(key, claims()).split('.');
      return [0, 1, 2, 10, 63, 64, 65, 128, 300].map(
        (length) => `${header}.${payload}.${signature.repeat(8).slice(1, length)}`,
      );
    };
    const payloads = [
      'null',
      'nul',
      '[',
      '{"a":',
      '"',
      '\\',
      '{"a":"\\x"}',
      '[1,]',
      '{"a" 1}',
      '1e309',
      '-',
      '0x1',
      '\u0000',
      '[[[['.repeat(500),
      '{"a":'.repeat(500),
      '{"exp":1e309}',
      '{"toString":1,"valueOf":1}',
    ];
    const headers = [
      'null',
      '[]',
      '7',
      '"x"',
      '',
      '{',
      '{"alg":null}',
      '{"alg":{}}',
      '{"alg":"HS256"}',
      '{"kid":"hs"}',
      '{"alg":"HS256","typ":"at+jwt","kid":{"toString":1}}',
      '{"typ":"JWT","alg":"HS256","kid":"hs"}',
      '[[[['.repeat(500),
    ];
    const tokens = [
      ...[hs, rs, ps, es, es384].flatMap(rightly),
      ...payloads.flatMap((payload) => [
        mint(hs, payload),
        mint(hs, payload, { ...headerOf(hs), typ: 'JWT' }),
        mint(es, payload),
      ]),
      ...headers.map((header) => mint(hs, claims(), header)),
      '..',
      '...',
      '. . .',
      'a.b',
      'a.b.c',
      'a.b.c.d',
      'null',
      'undefined',
      '[object Object]',
      '{}',
      '=.=.=',
      '-._.-',
      'A'.repeat(8192),
      'A'.repeat(8193),
      '.'.repeat(9000),
      `${'A'.repeat(3000)}.${'A'.repeat(3000)}.AA`,
    ];
    const values = [
      ...tokens.map((token) => `Bearer ${token}`),
      'Bearer',
      'Bearer ',
      'Bearer  x',
      'Bearer\tx',
      'bearer x y',
      'BEARER a.b.c, Bearer a.b.c',
      'Basic YTpi',
      'Bearers x',
      'Bear',
      'B',
      ':',
      ',',
      '"',
      '%00',
      'Digest x="y"',
      'Bearer \u00ff.\u00ff.\u00ff',
      'x'.repeat(12_000),
    ];
    expect(values.length).toBeGreaterThan(130);
    for (const value of values) {
      const status = await rawRequest(app.url, [`Authorization: ${value}`]);
      expect([value.slice(0, 60), status]).toEqual([value.slice(0, 60), 401]);
    }
  });

  it('JW-13: a token expires at exp plus the tolerance, to the millisecond, by the library’s clock', async () => {
    const token = mint(hs, claims({ exp: time / 1000 + 60 }));
    revocation.time = time + 64_999;
    await accepted(token);
    revocation.time = time + 65_000;
    await refused(token, 'token_expired');
  });

  it('JW-14: verification runs with issuer, audience and algorithms where passport-jwt reads them', async () => {
    await refused(mint(hs, claims({ iss: 'x' })));
    await refused(mint(hs, claims({ aud: 'x' })));
    await refused(mint({ ...rs, alg: 'RS512' }, claims(), { ...headerOf(rs), alg: 'RS512' }));
  });

  it('a revoked RS256 or ES256 token is refused in its other spellings', async () => {
    revocation.revokedIds.add('gone');
    for (const key of [rs, es]) {
      const token = mint(key, claims({ jti: 'gone' }));
      await refused(token, 'session_ended');
      for (const digit of DIGITS)
        expect((await app.bearer(token.slice(0, -1) + digit)).status).toBe(401);
      for (const end of ['=', '==', 'A', '.'])
        expect((await app.bearer(token + end)).status).toBe(401);
    }
    // (r, n - s) is a signature of the same text; the jti is what the index knows.
    const [header, payload, signature = ''] = mint(es, claims({ jti: 'gone' })).split('.');
    const bytes = Buffer.from(signature, 'base64url');
    const twin = (P256_ORDER - BigInt(`0x${bytes.subarray(32).toString('hex')}`)).toString(16);
    const other = Buffer.concat([
      bytes.subarray(0, 32),
      Buffer.from(twin.padStart(64, '0'), 'hex'),
    ]);
    await refused(`${header}.${payload}.${other.toString('base64url')}`, 'session_ended');
    revocation.revokedIds.clear();
  });

  it('two Authorization headers and a token in the URL are refused with 400', async () => {
    const token = mint(hs, claims());
    const line = `Authorization: Bearer ${token}`;
    expect(await rawRequest(app.url, [line])).toBe(200);
    expect(await rawRequest(app.url, [line, line])).toBe(400);
    expect(await rawRequest(app.url, [line, `aUTHORIZATION: Basic x`])).toBe(400);
    const answer = await app.get(`/me?access_token=${token}`);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('www-authenticate')).toContain('error="invalid_request"');
    expect(await answerOf(app.get(`/me?access%5Ftoken=x`, `Bearer ${token}`))).toEqual([
      400,
      'invalid_request',
    ]);
    expect((await app.get('/me?a=access_token', `Bearer ${token}`)).status).toBe(200);
  });

  it('answers follow RFC 6750, and never contain the token', async () => {
    const missing = await app.get('/me');
    expect(missing.headers.get('www-authenticate')).toBe('Bearer realm="api"');
    expect(missing.headers.get('cache-control')).toBe('no-store');
    expect(await missing.json()).toEqual({
      statusCode: 401,
      error: 'Unauthorized',
      message: 'The request has no access token.',
      code: 'token_missing',
    });
    const token = mint(hs, claims({ iss: 'x' }));
    const bad = await app.bearer(token);
    expect(bad.headers.get('www-authenticate')).toBe(
      'Bearer realm="api", error="invalid_token", error_description="The token is not valid."',
    );
    expect(await bad.text()).not.toContain(token.slice(0, 10));
  });
});
