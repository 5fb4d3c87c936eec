import { describe, expect, it } from '@jest/globals';
import {
  assertStrictSegment,
  hasCanonicalEnd,
  parseSegment,
} from '../../../lib/authentication/jws.js';

const segment = (text: string): string => Buffer.from(text).toString('base64url');

describe('parseSegment', () => {
  it.each([
    '{}',
    '[]',
    '""',
    '{"a":[{"b":1},{"b":2}],"c":{"b":3}}',
    '{"a":"{\\"a\\":1,\\"a\\":2}"}',
    '{"a":"\\\\","b":"\\""}',
    ' { "a" : [ ] , "b" : 1 } ',
    '{"a":[1,"a","a"],"b":"a"}',
  ])('parseSegment accepts %s', (text) =>
    expect(parseSegment(segment(text))).toEqual(JSON.parse(text)),
  );

  it.each([
    '',
    '{',
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '[[{"x":{"a":1,"a":2}}]]',
    '{"a":1,"b":[{}],"a":2}',
    '{"__proto__":1}',
    '{"a":[{"__proto__":{}}]}',
    '{"\\u005f\\u005fproto__":1}',
    '\ufeff{}',
    '{"":1,"":2}',
    '{"a\\"b":1,"a\\u0022b":2}',
  ])('parseSegment refuses %s', (text) => expect(() => parseSegment(segment(text))).toThrow(/./));

  it('parseSegment refuses bytes that are not UTF-8, padding and unused bits', () => {
    expect(() => parseSegment(Buffer.from([0x22, 0xff, 0x22]).toString('base64url'))).toThrow(/./);
    expect(() => parseSegment(Buffer.from('{}').toString('base64'))).toThrow(/./);
    expect(() => parseSegment('e31')).toThrow(/./);
  });

  it('parseSegment accepts any depth of nesting', () => {
    const text = `${'[{"a":'.repeat(3000)}1${'}]'.repeat(3000)}`;
    expect(() => parseSegment(segment(text))).not.toThrow();
  });
});

describe('assertStrictSegment', () => {
  it('assertStrictSegment accepts the output of JSON.stringify and of other serialisers', () => {
    for (const text of [
      '{"a":1,"b":"é"}',
      '{ "a": 1 }',
      '{"a":"__proto__"}',
      '{"2":1,"1":2}',
      '{"a":1e2}',
    ]) {
      expect(() => assertStrictSegment(JSON.parse(text), segment(text))).not.toThrow();
    }
  });

  it('assertStrictSegment refuses what parsing loses', () => {
    for (const text of ['{"a":1,"a":1}', '{"__proto__":{}}', '{"a":{"__proto__":1}}']) {
      expect(() => assertStrictSegment(JSON.parse(text), segment(text))).toThrow(/./);
    }
  });
});

describe('the count in assertStrictSegment', () => {
  const value = { sub: 'x', n: 0, list: [1, 'a', [], {}, null, true, false], exp: 1_700_000_001 };

  it('the count never takes a longer text for the shortest', () => {
    const json = JSON.stringify(value);
    for (const lost of ['"sub":"y",', '"n":0,', '"":0,', '"exp":1,', '"list":[],']) {
      const text = `{${lost}${json.slice(1)}`;
      const twice = text.includes('"":0') ? `{"":1,${text.slice(1)}` : text;
      expect(() => assertStrictSegment(JSON.parse(twice) as object, segment(twice))).toThrow(/./);
    }
  });

  it('the count is right for numbers that are spelt shorter than they are printed', () => {
    // The first is exactly as long as {"a":1000000000}.
    for (const text of [
      '{"a":1,"a":1e9}',
      '{"a":1,"a":1e10}',
      '{"a":1,"a":1e8}',
      '{"a":1,"a":17e9}',
      '{"a":1,"a":123e6}',
      '{"a":1,"a":-1e20}',
      '{"a":1,"a":1e-7}',
    ]) {
      expect(() => assertStrictSegment(JSON.parse(text) as object, segment(text))).toThrow(/./);
    }
  });

  it('the count is right for bytes that are not UTF-8, in a value or in a name', () => {
    for (const text of ['{"a":"#"}', '{"#":1}', '{"a":["#"]}', '{"a":{"#":{}}}']) {
      const bytes = Buffer.from(text);
      bytes[bytes.indexOf('#')] = 0xff;
      const parsed = JSON.parse(bytes.toString()) as object;
      expect(() => assertStrictSegment(parsed, bytes.toString('base64url'))).toThrow(/./);
    }
  });
});

describe('hasCanonicalEnd', () => {
  it('hasCanonicalEnd agrees with a new encoding, for every ending', () => {
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    for (const start of ['', 'A', 'AA', 'AAA']) {
      for (const digit of digits) {
        const text = start + digit;
        const again = Buffer.from(text, 'base64url').toString('base64url');
        expect([text, hasCanonicalEnd(text)]).toEqual([text, again === text]);
      }
    }
    for (const text of ['', 'AA=', 'A+', 'AA/']) expect(hasCanonicalEnd(text)).toBe(false);
  });
});
