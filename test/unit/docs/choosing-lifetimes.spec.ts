import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import type { AuthOptions } from '../../../lib/options/auth-options.js';
import { resolveAuthOptions } from '../../../lib/options/resolved-auth-options.js';

const BYTES = 36;
const MARGIN = 120;

/** The rows of a table under a heading, by cells, without the backticks. */
function tableUnder(heading: string): string[][] {
  const [, section = ''] = readFileSync('docs/choosing-lifetimes.md', 'utf8').split(
    `\n## ${heading}\n`,
  );
  const [text = ''] = section.split('\n## ', 1);
  const rows = text.split('\n').filter((line) => line.startsWith('| '));
  return rows.slice(1).map((line) => line.replaceAll('`', '').slice(2, -2).split(' | '));
}

/** Of a figure that was rounded for people. */
function expectAbout(told: string | undefined, exact: number, unit = 1): void {
  expect(Math.abs(Number.parseFloat(told ?? '') * unit - exact) / exact).toBeLessThan(0.08);
}

describe('docs/choosing-lifetimes.md', () => {
  it('docs/choosing-lifetimes.md computes the refreshes and the memory of an access-token TTL', () => {
    const rows = tableUnder('What an access-token TTL costs');
    expect(rows).toHaveLength(5);
    for (const [life, refreshes, bytes, , memory] of rows) {
      const seconds = Number.parseInt(life ?? '', 10);
      // Renewed at nine tenths of a life that is one per cent shorter on average.
      expectAbout(refreshes, 3_600 / (seconds * 0.99 * 0.9));
      expectAbout(bytes, BYTES);
      const unit = memory?.endsWith('MB') === true ? 1_000_000 : 1_000;
      expectAbout(memory, 10 * BYTES * (seconds + MARGIN), unit);
    }
  });

  it('docs/choosing-lifetimes.md computes the polls of a staleness', () => {
    const rows = tableUnder('What a staleness costs').slice(0, -1);
    expect(rows).toHaveLength(5);
    // A quarter of it, less up to a fifth at random.
    for (const [staleness, polls] of rows) {
      expectAbout(polls, 1 / ((Number.parseFloat(staleness ?? '') / 4) * 0.9));
    }
  });

  it.each(['bank', 'SaaS', 'content site'])(
    'docs/choosing-lifetimes.md gives a %s options that boot',
    (site) => {
      const column = ['bank', 'SaaS', 'content site'].indexOf(site) + 1;
      const given = tableUnder('Which values to choose')
        .filter(([option]) => option?.startsWith('@') === false)
        .map((row) => {
          const value = row[column] ?? '';
          return [row[0], /^\d+$/.test(value) ? Number(value) : value];
        });
      expect(given).toHaveLength(5);
      const options = {
        secret: 'a secret of the tests: 32 bytes or more',
        issuer: 'https://issuer.test',
        audience: 'https://audience.test',
        ...Object.fromEntries(given),
      } as AuthOptions;
      expect(resolveAuthOptions(options).sessionTtl).toBeGreaterThan(0);
    },
  );
});
