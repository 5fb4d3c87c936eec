import { beforeEach, describe, expect, it } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { TestClock } from 'nestjs-logout/testing';
import type { DpopRequest } from '../../../lib/binding/client-request.js';
import { DpopProofs, loadJose } from '../../../lib/binding/dpop-proofs.js';
import { AuthException } from '../../../lib/errors/auth.exception.js';
import { binding, type ResolvedBinding } from '../../../lib/options/binding-option.js';
import { DpopKey } from '../../support/dpop-key.js';

const HOST = 'resource.example.org';
const URL = `https://${HOST}/protectedresource`;
const TOKEN = 'an.access.token';

const key = new DpopKey();
let clock: TestClock;
let proofs: DpopProofs;

async function proofsWith(more: object = {}): Promise<DpopProofs> {
  const options = binding({ dpop: 'optional', ...more }, 'binding') as ResolvedBinding;
  return new DpopProofs(await loadJose(), clock, options, undefined);
}

function request(dpop: string | string[] | undefined, more: object = {}): DpopRequest {
  const headers = { host: HOST, dpop };
  return { headers, method: 'GET', url: '/protectedresource?a=1', protocol: 'https', ...more };
}

/** The thumbprint, or the code and the problem. */
async function outcomeOf(of: DpopRequest, token?: string, jkt?: string): Promise<string> {
  try {
    return await proofs.verify(of, token, jkt);
  } catch (error) {
    if (!(error instanceof AuthException)) throw error;
    return `${error.getStatus()} ${error.code}`;
  }
}

beforeEach(async () => {
  clock = new TestClock();
  proofs = await proofsWith();
});

describe('the examples of RFC 9449', () => {
  // They share a header, and so a key.
  const header =
    'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19';
  const thumbprint = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I';
  const login = `${header}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg`;
  const access = `${header}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA`;
  const token = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU';
  const toLogin = {
    headers: { host: 'server.example.com', dpop: login },
    method: 'POST',
    url: '/token',
    protocol: 'https',
  };

  it('section 4.2: the proof of a token request is valid at its time', async () => {
    clock = new TestClock(1_562_262_616_000);
    proofs = await proofsWith();
    expect(await outcomeOf(toLogin)).toBe(thumbprint);
  });

  it('section 7.1: the proof of a request with an access token is valid at its time', async () => {
    clock = new TestClock(1_562_262_618_000);
    proofs = await proofsWith();
    expect(await outcomeOf(request(access), token, thumbprint)).toBe(thumbprint);
  });

  it('both proofs are refused eleven seconds later', async () => {
    clock = new TestClock(1_562_262_629_001);
    proofs = await proofsWith();
    const codes = [await outcomeOf(toLogin), await outcomeOf(request(access), token, thumbprint)];
    expect(codes).toEqual(['401 dpop_proof_invalid', '401 dpop_proof_invalid']);
  });
});

describe('TB-02: a proof', () => {
  const good = (claims: object = {}, header: object = {}): string =>
    key.proof('GET', URL, {
      token: TOKEN,
      now: clock.wall(),
      claims: { ...claims },
      header: { ...header },
    });
  const invalid = '401 dpop_proof_invalid';

  it.each<[string, () => DpopRequest]>([
    ['as it should be', () => request(good())],
    ['whose URL has a query and a fragment', () => request(good({ htu: `${URL}?b=2#c` }))],
    [
      'whose URL is spelt differently',
      () => request(good({ htu: `HTTPS://Resource.example.org:443/protected%72esource` })),
    ],
    ['that is ten seconds old', () => request(good({ iat: clock.wall() / 1000 - 10 }))],
    ['that is ten seconds ahead', () => request(good({ iat: clock.wall() / 1000 + 10 }))],
  ])('a proof %s is accepted', async (_, of) => {
    expect(await outcomeOf(of(), TOKEN, key.jkt)).toBe(key.jkt);
  });

  it.each<[string, () => DpopRequest]>([
    ['that is missing', () => request(undefined)],
    ['that is there twice', () => request(`${good()}, ${good()}`)],
    ['that is a list', () => request([good(), good()])],
    ['that is garbage', () => request('garbage')],
    ['that is empty', () => request('')],
    ['of a megabyte', () => request('x'.repeat(2 ** 20))],
    ['with a claim of a megabyte', () => request(good({ more: 'x'.repeat(2 ** 20) }))],
    ['of another URL', () => request(good({ htu: `https://${HOST}/other` }))],
    ['of another host', () => request(good({ htu: 'https://evil.example.org/protectedresource' }))],
    ['of another scheme', () => request(good({ htu: URL.replace('https', 'http') }))],
    ['of an invalid URL', () => request(good({ htu: '/protectedresource' }))],
    ['of another method', () => request(good({ htm: 'POST' }))],
    ['of a method in another case', () => request(good({ htm: 'get' }))],
    ['that is too old', () => request(good({ iat: clock.wall() / 1000 - 10.1 }))],
    ['of the future', () => request(good({ iat: clock.wall() / 1000 + 10.1 }))],
    ['without a time', () => request(good({ iat: undefined }))],
    ['with a time that is a text', () => request(good({ iat: `${clock.wall() / 1000}` }))],
    ['that has expired by itself', () => request(good({ exp: clock.wall() / 1000 - 1 }))],
    ['for another token', () => request(good({ ath: 'another' }))],
    ['for no token', () => request(good({ ath: undefined }))],
    ['without an id', () => request(good({ jti: undefined }))],
    ['with an empty id', () => request(good({ jti: '' }))],
    ['with an id of 256 characters', () => request(good({ jti: 'x'.repeat(256) }))],
    ['of another type', () => request(good({}, { typ: 'JWT' }))],
    ['without a type', () => request(good({}, { typ: undefined }))],
    ['without a key', () => request(good({}, { jwk: undefined }))],
    ['with a key that did not sign', () => request(good({}, { jwk: new DpopKey().jwk }))],
    ['with the private key', () => request(good({}, { jwk: key.privateJwk }))],
    ['with a member of a private key', () => request(good({}, { jwk: { ...key.jwk, p: 'AQ' } }))],
    ['with a key that is a text', () => request(good({}, { jwk: 'key' }))],
    ['with an extension that must be understood', () => request(good({}, { crit: ['x'], x: 1 }))],
    ['with the algorithm none', () => request(unsigned({ alg: 'none', jwk: key.jwk }))],
    ['with a symmetric algorithm', () => request(symmetric())],
    ['whose signature is cut', () => request(good().slice(0, -2))],
    ['whose claims were changed', () => request(altered(good()))],
    [
      'to a host with a path in it',
      () => request(good({ htu: `https://${HOST}/other` }), { host: `${HOST}/other?` }),
    ],
    [
      'to a target that names a host',
      () =>
        request(good({ htu: 'https://evil.example.org/me' }), {
          url: 'https://evil.example.org/me',
        }),
    ],
    [
      'to a target without a slash',
      () => request(good({ htu: `https://${HOST}.evil.org/me` }), { url: '.evil.org/me' }),
    ],
  ])('a proof %s is refused', async (_, of) => {
    expect(await outcomeOf(of(), TOKEN, key.jkt)).toBe(invalid);
  });

  function part(value: object): string {
    return Buffer.from(JSON.stringify(value)).toString('base64url');
  }

  function unsigned(header: object): string {
    const claims = { jti: '1', htm: 'GET', htu: URL, iat: Math.floor(clock.wall() / 1000) };
    return `${part({ typ: 'dpop+jwt', ...header })}.${part(claims)}.`;
  }

  function symmetric(): string {
    const jwk = { kty: 'oct', k: Buffer.from('secret').toString('base64url') };
    const input = unsigned({ alg: 'HS256', jwk }).slice(0, -1);
    return `${input}.${createHmac('sha256', 'secret').update(input).digest('base64url')}`;
  }

  function altered(proof: string): string {
    const [header, , signature] = proof.split('.');
    return [
      header,
      part({ htm: 'GET', htu: URL, iat: clock.wall() / 1000, jti: 'x' }),
      signature,
    ].join('.');
  }

  it('a proof of another key than the token is bound to is refused', async () => {
    expect(await outcomeOf(request(good()), TOKEN, new DpopKey().jkt)).toBe('401 binding_mismatch');
  });

  it('a proof is refused the second time, for as long as it is valid', async () => {
    const iat = Math.floor(clock.wall() / 1000) + 9;
    const of = request(good({ iat }));
    expect(await outcomeOf(of, TOKEN, key.jkt)).toBe(key.jkt);
    for (const wait of [0, 9_000, 9_000]) {
      clock.advance(wait);
      expect(await outcomeOf(of, TOKEN, key.jkt)).toBe(invalid);
    }
  });

  it('a proof is no replay of a proof of another key with the same id', async () => {
    const other = new DpopKey();
    const id = { jti: 'the same' };
    const theirs = other.proof('GET', URL, { token: TOKEN, now: clock.wall(), claims: id });
    expect(await outcomeOf(request(theirs), TOKEN, other.jkt)).toBe(other.jkt);
    expect(await outcomeOf(request(good(id)), TOKEN, key.jkt)).toBe(key.jkt);
  });

  it('a proof that was refused for its URL can be sent to the right one', async () => {
    const proof = good();
    expect(await outcomeOf(request(proof, { url: '/other' }), TOKEN, key.jkt)).toBe(invalid);
    expect(await outcomeOf(request(proof), TOKEN, key.jkt)).toBe(key.jkt);
  });

  it('a proof must be for one of the origins in the options, whatever host the request has', async () => {
    proofs = await proofsWith({ origins: ['https://api.example.com'] });
    const at = (origin: string, path = '/protectedresource'): Promise<string> =>
      outcomeOf(request(good({ htu: origin + path })), TOKEN, key.jkt);
    expect(await at('https://api.example.com')).toBe(key.jkt);
    expect(await at('https://api.example.com', '/other')).toBe(invalid);
    expect(await at(`https://${HOST}`)).toBe(invalid);
  });
});
