import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { COMPARISON_MUTATIONS } from '../../mutations/comparison-mutations.js';
import { problemOfReference, referencesIn } from '../../support/test-references.js';

const text = readFileSync('docs/comparison.md', 'utf8');
const [features = '', capabilities = ''] = text.split('\n## What none of them has\n');

/** The cells of the numbered rows of a table. */
function rowsOf(section: string): string[][] {
  return section
    .split('\n')
    .filter((line) => /^\| \d+ \|/.test(line))
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').trim()));
}

const numbers = (section: string): number[] => rowsOf(section).map(([number]) => Number(number));
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

describe('docs/comparison.md', () => {
  it('docs/comparison.md has every row of both tables', () => {
    expect(numbers(features)).toEqual(upTo(61));
    expect(numbers(capabilities)).toEqual(upTo(24));
  });

  it('docs/comparison.md names a test for what it claims, and says of the rest that it is not built', () => {
    const answers = [
      ...rowsOf(features).map(([number, , ours = '', shownBy = '']) => [number, ours, shownBy]),
      ...rowsOf(capabilities).map(([number, , , ours = '', shownBy = '']) => [
        number,
        ours,
        shownBy,
      ]),
    ];
    const silent = answers.filter(([, ours = '', shownBy = '']) => {
      const isAnswer = /^(?:[YPN]\b|Yes|In part|Not built)/.test(ours);
      return !isAnswer || (referencesIn(shownBy).length === 0 && !/not built/i.test(ours));
    });
    expect(silent).toEqual([]);
  });

  it('docs/comparison.md has a mutation for each claim, whose failing test it names', () => {
    const claims = rowsOf(features).filter(([, , ours = '']) => ours.startsWith('Y'));
    const untied = claims.filter(([number, , , shownBy = '']) => {
      const references = referencesIn(shownBy);
      return !COMPARISON_MUTATIONS.some(
        (mutation) => mutation.row === Number(number) && references.includes(mutation.shownBy),
      );
    });
    expect(untied.map(([number, feature]) => `${number} ${feature}`)).toEqual([]);
  });

  it('docs/comparison.md has no mutation for what it does not claim', () => {
    const claimed = rowsOf(features)
      .filter(([, , ours = '']) => ours.startsWith('Y'))
      .map(([number]) => Number(number));
    expect(COMPARISON_MUTATIONS.filter(({ row }) => !claimed.includes(row))).toEqual([]);
  });
});

describe.each(['docs/comparison.md', 'docs/asvs-coverage.md'])('%s', (path) => {
  it('the page names tests that exist', () => {
    const references = referencesIn(readFileSync(path, 'utf8'));
    expect(references.length).toBeGreaterThan(50);
    expect(references.map(problemOfReference).filter((told) => told !== undefined)).toEqual([]);
  });
});
