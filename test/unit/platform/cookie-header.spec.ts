import { describe, expect, it } from '@jest/globals';
import { performance } from 'node:perf_hooks';
import { cookieValues } from '../../../lib/platform/cookies.js';

describe('cookieValues', () => {
  it.each<[string, string[]]>([
    ['a=1', ['1']],
    ['b=2; a=1', ['1']],
    ['b=2;a=1;c=3', ['1']],
    ['a=1; a=2', ['1', '2']],
    ['  a=1\t; b=2', ['1']],
    ['a= 1 ', [' 1']],
    ['a=b=c', ['b=c']],
    ['a=%20"1"', ['%20"1"']],
    ['xa=1; a =1; A=1; ab=1', []],
    ['a', []],
    ['a=', []],
    ['a=; a=1', ['1']],
    ['b="; a=1; "', ['1']],
    [';;;;', []],
    ['', []],
  ])('cookieValues reads the cookie header %j', (header, values) => {
    expect(cookieValues(header, 'a')).toEqual(values);
  });

  it('cookieValues is linear: 1 MB of any text takes little time', () => {
    const start = performance.now();
    for (const piece of [';', ' ', 'a', 'a=', '; a', 'a;', '\t', '=']) {
      cookieValues(piece.repeat(1_000_000 / piece.length), 'a');
    }
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});
