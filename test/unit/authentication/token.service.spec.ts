import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { JwtService } from '@nestjs/jwt';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  TokenService,
  type VerifyTokenOptions,
} from '../../../lib/authentication/token.service.js';
import { AuthWiringError } from '../../../lib/errors/auth-wiring.error.js';
import {
  asymmetricKey,
  authentication,
  claimsAt,
  FakeRevocation,
  hmacKey,
  mint,
  optionsWith,
} from '../../support/authentication-parts.js';

const hs = hmacKey('hs');
const es = asymmetricKey('es', 'ES256');
const revocation = new FakeRevocation();
const { time } = revocation;
let module: TestingModule;
let tokens: TokenService;

beforeAll(async () => {
  module = await Test.createTestingModule({
    imports: [authentication(optionsWith([hs, es]), revocation)],
  }).compile();
  await module.init();
  tokens = module.get(TokenService);
});
afterAll(() => module.close());
beforeEach(() => {
  revocation.time = time;
  revocation.revokedIds.clear();
  revocation.revokedKeys.clear();
});

const refusal = (code: string): Promise<unknown> => expect.objectContaining({ code }) as never;

describe('TokenService', () => {
  it('TokenService returns the claims of a valid token of each key', async () => {
    for (const key of [hs, es]) {
      expect(await tokens.verify(mint(key, claimsAt(time)))).toEqual(claimsAt(time));
    }
  });

  it('TokenService asks for the freshness of the call', async () => {
    await tokens.verify(mint(hs, claimsAt(time)), { freshness: 1 });
    expect(revocation.asked.at(-1)?.options).toEqual({ freshness: 1, kid: 'hs' });
  });

  it('TokenService refuses by the same rules as the guard', async () => {
    const cases: [string, unknown][] = [
      ['token_missing', undefined],
      ['token_missing', null],
      ['token_malformed', 7],
      ['token_malformed', ''],
      ['token_malformed', 'a'.repeat(9000)],
      ['token_malformed', `${mint(hs, claimsAt(time))}=`],
      ['token_invalid', `${mint(hs, claimsAt(time)).slice(0, -43)}${'A'.repeat(43)}`],
      ['token_invalid', mint(hs, 'null')],
      ['token_invalid', mint(hs, claimsAt(time, { aud: 'x' }))],
      ['token_invalid', mint(hs, claimsAt(time), { alg: 'HS256', typ: 'JWT', kid: 'hs' })],
      ['token_invalid', `${mint(es, claimsAt(time)).slice(0, -86)}${'A'.repeat(83)}`],
      ['token_expired', mint(hs, claimsAt(time - 400_000))],
    ];
    for (const [code, text] of cases) {
      await expect(tokens.verify(text as string)).rejects.toEqual(refusal(code));
    }
  });

  it('TokenService refuses a revoked token, also when the answer takes time', async () => {
    revocation.revokedIds.add('session-1');
    const token = mint(hs, claimsAt(time));
    await expect(tokens.verify(token)).rejects.toEqual(refusal('session_ended'));
    revocation.isLate = true;
    await expect(tokens.verify(token)).rejects.toEqual(refusal('session_ended'));
    revocation.isLate = false;
  });

  it('TokenService with allowExpired accepts expired and revoked tokens, but none of a revoked key', async () => {
    const token = mint(hs, claimsAt(time));
    revocation.time = time + 86_400_000;
    revocation.revokedIds.add('session-1');
    expect(await tokens.verify(token, { allowExpired: true })).toMatchObject({ sub: 'alice' });
    revocation.revokedKeys.add('hs');
    await expect(tokens.verify(token, { allowExpired: true })).rejects.toEqual(
      refusal('key_revoked'),
    );
  });

  it('with allowExpired takes no freshness and no policy, which would do nothing', async () => {
    const token = mint(hs, claimsAt(time));
    const handshake = { headers: { authorization: `Bearer ${token}` } };
    for (const demand of [{ freshness: 'strict' }, { freshness: 0 }, { whenStale: 'closed' }]) {
      const options = { ...demand, allowExpired: true } as VerifyTokenOptions;
      await expect(tokens.verify(token, options)).rejects.toThrow(
        'allowExpired accepts revoked tokens, so freshness and whenStale would do nothing.',
      );
      const refused = tokens.verifyRequest(handshake, options);
      await expect(refused).rejects.toBeInstanceOf(AuthWiringError);
    }
  });
});

describe('the exported JwtService', () => {
  it('JwtService signs with the ring, sets issuer and audience, and signs no access tokens', async () => {
    const jwt = module.get(JwtService);
    const token = jwt.sign({ sub: 'alice', purpose: 'password-reset' });
    expect(jwt.decode(token, { complete: true }).header).toEqual({
      alg: 'HS256',
      typ: 'JWT',
      kid: 'hs',
    });
    expect(jwt.verify(token)).toMatchObject({ iss: 'https://issuer.test', aud: 'api' });
    await expect(tokens.verify(token)).rejects.toEqual(refusal('token_invalid'));
  });

  it('JwtService follows the ring when a key is revoked', () => {
    revocation.revokedKeys.add('hs');
    const jwt = module.get(JwtService);
    const token = jwt.sign({ sub: 'alice' });
    expect(jwt.decode(token, { complete: true }).header).toMatchObject({ alg: 'ES256', kid: 'es' });
    revocation.revokedKeys.add('es');
    expect(() => jwt.sign({})).toThrow(expect.objectContaining({ code: 'no_signing_key' }));
  });

  it('JwtService uses each key with its own algorithm only', () => {
    const jwt = module.get(JwtService);
    const token = mint({ ...hs, alg: 'HS512' }, {}, { alg: 'HS512', typ: 'JWT', kid: 'hs' });
    expect(() => jwt.verify(token)).toThrow(expect.objectContaining({ code: 'token_invalid' }));
  });
});
