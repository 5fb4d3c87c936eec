import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { TokenService } from 'nestjs-logout';
import { assertSignable, logText, messageOf } from '../support/internals.js';
import {
  authentication,
  claimsAt,
  FakeRevocation,
  hmacKey,
  mint,
  optionsWith,
} from '../support/authentication-parts.js';

const NEW_LINE_AND_BIDI = 'a\nb\r\u001b[31m\u0085\u2028\u202e\u2066\u200f\ufeff\ud800';
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

const key = hmacKey('one');
const revocation = new FakeRevocation();
let module: TestingModule;

beforeAll(async () => {
  module = await Test.createTestingModule({
    imports: [authentication(optionsWith([key]), revocation)],
  }).compile();
  await module.init();
});
afterAll(() => module?.close());
afterEach(() => {
  jest.restoreAllMocks();
});

describe('text that clients chose', () => {
  it('text from clients has no control, bidi or separator characters in a log line', () => {
    const shown = logText(NEW_LINE_AND_BIDI);
    expect(shown).not.toMatch(UNSAFE);
    expect(shown).toContain(String.raw`a\u{a}b\u{d}\u{1b}[31m`);
    expect(logText('x'.repeat(100))).toHaveLength(81);
    expect(logText('Zoë 東京 🚪')).toBe('Zoë 東京 🚪');
  });

  it('text from clients is escaped in the type of an unsigned token', async () => {
    const lines: string[] = [];
    jest.spyOn(Logger.prototype, 'debug').mockImplementation((line) => void lines.push(line));
    const token = mint(
      key,
      {},
      { alg: 'HS256', kid: 'one', typ: `x${NEW_LINE_AND_BIDI.slice(0, -1)}` },
    );
    await expect(module.get(TokenService).verify(token)).rejects.toThrow('not valid');
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toMatch(UNSAFE);
  });

  it('text from clients is escaped in the message of a database error or its cause', () => {
    const error = new Error(`duplicate ${NEW_LINE_AND_BIDI}`, { cause: new Error('\u202e') });
    expect(messageOf(error)).not.toMatch(UNSAFE);
    expect(messageOf(NEW_LINE_AND_BIDI)).not.toMatch(UNSAFE);
  });
});

describe('claims that JSON cannot hold exactly', () => {
  it.each([
    ['a text with a lone surrogate', String.raw`"\ud800"`],
    ['a name with a lone surrogate', String.raw`{"\udfff":1}`],
    ['an infinite number', '1e309'],
    ['an infinite number in a list', '[[-1e309]]'],
  ])('claims that JSON cannot hold exactly are refused in a token: %s', async (_name, json) => {
    const claims = JSON.stringify(claimsAt(revocation.time)).replace(/\}$/, `,"own":${json}}`);
    await expect(module.get(TokenService).verify(mint(key, claims))).rejects.toEqual(
      expect.objectContaining({ code: 'token_invalid' }),
    );
  });

  it.each([
    ['a text with a lone surrogate', { name: 'a\ud800' }],
    ['a name with a lone surrogate', { own: { '\udfff': 1 } }],
    ['NaN', { own: [Number.NaN] }],
    ['an infinite number', { own: { deep: Number.POSITIVE_INFINITY } }],
  ])('claims that JSON cannot hold exactly are not signed: %s', (_name, claims) => {
    expect(() => assertSignable(claims, [])).toThrow(/toWellFormed/);
  });

  it('dates, surrogate pairs and objects that reference each other can be signed', () => {
    const round: Record<string, unknown> = { door: '🚪', at: new Date(0), price: 1.5 };
    round['self'] = round;
    expect(() => assertSignable({ round }, [])).not.toThrow();
  });
});
