import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { ASVS_NUMBERS, asvsCoverage } from '../../support/asvs-coverage.js';
import { asvsMarkdown } from '../../support/asvs-markdown.js';
import { problemOfReference } from '../../support/test-references.js';

describe('docs/asvs-coverage.md', () => {
  it('docs/asvs-coverage.md is up to date (else: node build/test/support/write-asvs-coverage.js)', () => {
    expect(readFileSync('docs/asvs-coverage.md', 'utf8')).toBe(asvsMarkdown());
  });

  it('docs/asvs-coverage.md has every number once, and no other', () => {
    expect(asvsCoverage.map(({ number }) => number)).toEqual(ASVS_NUMBERS);
    expect(new Set(ASVS_NUMBERS).size).toBe(ASVS_NUMBERS.length);
  });

  it('docs/asvs-coverage.md names tests that exist', () => {
    const named = asvsCoverage.flatMap((entry) => ('test' in entry ? [entry.test].flat() : []));
    expect(named.map(problemOfReference).filter((problem) => problem !== undefined)).toEqual([]);
  });

  it('docs/asvs-coverage.md gives a reason if no test is named', () => {
    for (const entry of asvsCoverage) {
      const reason = 'not' in entry ? entry.not : entry.asks;
      expect(reason).toMatch(/^[A-Z].{10,}/);
    }
  });
});

describe('the name of a test', () => {
  it.each([
    ['no/such.spec.ts: title', 'there is no test/no/such.spec.ts'],
    ['unit/docs/asvs-coverage.spec.ts: gives no reason', 'no such title'],
    ['somewhere', 'not of the form'],
  ])('an invalid test name is refused: %s', (reference, problem) => {
    // The second title is in this very file: in pieces, so that it is not found there.
    const told = problemOfReference(
      reference.replace('no reason', ['no', 'reason', 'at all'].join(' ')),
    );
    expect(told).toContain(problem);
  });

  it('a test name is valid with a part of a title, and with its file alone', () => {
    expect(problemOfReference('unit/docs/asvs-coverage.spec.ts: names tests')).toBeUndefined();
    expect(problemOfReference('unit/docs/asvs-coverage.spec.ts')).toBeUndefined();
  });
});
