import { describe, expect, it } from '@jest/globals';
import { parseDuration } from '../../../lib/options/duration.js';

describe('a duration', () => {
  it.each<[number | string, number]>([
    [0, 0],
    [900, 900_000],
    [0.25, 250],
    [1.1, 1_100],
    [4.35, 4_350],
    ['0s', 0],
    ['250ms', 250],
    ['900s', 900_000],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['1.5h', 5_400_000],
    ['30d', 2_592_000_000],
    ['2w', 1_209_600_000],
  ])('the duration %p is %p ms', (given, milliseconds) => {
    expect(parseDuration(given)).toBe(milliseconds);
  });

  it.each([
    '',
    ' ',
    's',
    '15',
    '15 m',
    ' 15m',
    '15m\n',
    '-15m',
    '+15m',
    '15M',
    '15min',
    '15 minutes',
    '1h30m',
    '.5h',
    '5.h',
    '1e3s',
    '0x10s',
    '1,5h',
    '٣m',
    'Infinitys',
    '0.5ms',
    `${'9'.repeat(100_000)}s`,
    NaN,
    Infinity,
    -1,
    0.0001,
    null,
    undefined,
    true,
    900n,
    [900],
    { seconds: 900 },
    new Date(0),
  ])('the duration %p is refused', (given) => {
    expect(parseDuration(given)).toEqual({ fix: expect.any(String) });
  });

  it("the error for a bare '900' shows both ways to fix it", () => {
    expect(parseDuration('900')).toEqual({
      fix: "Write 900 or '900s' for seconds, or a unit such as '15m'.",
    });
  });
});
