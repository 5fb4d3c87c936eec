import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { problemOfReference, referencesIn } from '../../support/test-references.js';

const text = readFileSync('docs/consistency.md', 'utf8');
const rows = [...text.matchAll(/^\| E(\d+) \| (.+) \| (.+) \| (.+) \|$/gm)].map(
  ([, number = '', failure = '', behaviour = '', shownBy = '']) => ({
    number: Number(number),
    failure,
    behaviour,
    references: referencesIn(shownBy),
  }),
);

describe('docs/consistency.md', () => {
  it('docs/consistency.md has every failure once', () => {
    expect(rows.map(({ number }) => number)).toEqual(
      Array.from({ length: 25 }, (_, index) => index + 1),
    );
  });

  it('docs/consistency.md has a test for each failure with its number, which is not skipped', () => {
    const silent = rows.filter(({ number, references }) => {
      const own = references.find((each) => each.includes(`: E${number}: `));
      const path = own?.slice(0, own.indexOf(': '));
      if (path === undefined) return true;
      const named = new RegExp(`^ *(?:it|describe)\\((['\`])E${number}: `, 'm');
      return !named.test(readFileSync(`test/${path}`, 'utf8'));
    });
    expect(silent.map(({ number }) => number)).toEqual([]);
  });

  it('docs/consistency.md has every promise once, each with a test', () => {
    const promises = [...text.matchAll(/^\| \*\*P(\d+) .*$/gm)];
    expect(promises.map(([, number]) => Number(number))).toEqual(
      Array.from({ length: 11 }, (_, index) => index + 1),
    );
    for (const [line] of promises) expect(referencesIn(line)).not.toEqual([]);
  });

  it('docs/consistency.md names tests that exist', () => {
    const problems = referencesIn(text).map(problemOfReference);
    expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
  });
});
