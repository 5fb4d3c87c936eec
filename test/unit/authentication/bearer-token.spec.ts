import { describe, expect, it } from '@jest/globals';
import { bearerToken } from '../../../lib/authentication/token-source.js';
import type { AuthRequest } from '../../../lib/platform/request.js';

const of = (authorization: string | string[] | undefined, more: object = {}): string | undefined =>
  bearerToken({ headers: { authorization }, url: '/', ...more } as AuthRequest);

const codeOf = (read: () => unknown): unknown => {
  try {
    return read();
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

describe('bearerToken', () => {
  it('bearerToken accepts the token whatever the case of the scheme', () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
      expect(of(`${scheme} a.b.c`)).toBe('a.b.c');
    }
  });

  it('bearerToken finds none if there is no header or another scheme', () => {
    for (const value of [
      undefined,
      '',
      'Basic YTpi',
      'Bear',
      'Bearers x',
      'Bearer: x',
      'beare\u0052x',
      '\u0002earer x',
      'DPoP x',
    ]) {
      expect(of(value)).toBeUndefined();
    }
  });

  it('bearerToken refuses an empty, over-long or badly separated token', () => {
    for (const rest of ['', ' ', '  a', '\ta', ' \ta', ` ${'a'.repeat(8193)}`]) {
      expect(codeOf(() => of(`Bearer${rest}`))).toBe('token_malformed');
    }
  });

  it('bearerToken refuses two headers, on Express and on Fastify', () => {
    const rawHeaders = ['Host', 'x', 'Authorization', 'Bearer a', 'AUTHORIZATION', 'Bearer b'];
    for (const more of [{ rawHeaders }, { raw: { rawHeaders } }]) {
      expect(codeOf(() => of('Bearer a', more))).toBe('invalid_request');
    }
    expect(codeOf(() => of(['Bearer a', 'Bearer b']))).toBe('invalid_request');
    expect(of('Bearer a', { rawHeaders: rawHeaders.slice(0, 4) })).toBe('a');
  });

  it('bearerToken refuses a token in the URL, and looks at the query only if there is one', () => {
    expect(codeOf(() => of('Bearer a', { url: '/?x', query: { access_token: '' } }))).toBe(
      'invalid_request',
    );
    expect(codeOf(() => of(undefined, { url: undefined, query: { access_token: 'x' } }))).toBe(
      'invalid_request',
    );
    const query = (): never => {
      throw new Error('looked');
    };
    expect(of('Bearer a', Object.defineProperty({ url: '/x' }, 'query', { get: query }))).toBe('a');
    expect(of('Bearer a', { url: '/?q=access_token', query: { q: 'access_token' } })).toBe('a');
  });

  it('bearerToken is linear: doubling 16 KB of garbage does not quadruple the work', () => {
    // Not timed: the value is a header of a megabyte, which the usual expression needs minutes for.
    const garbage = 'x'.repeat(1_000_000);
    expect(of(garbage)).toBeUndefined();
    expect(codeOf(() => of(`Bearer ${garbage}`))).toBe('token_malformed');
  });
});
