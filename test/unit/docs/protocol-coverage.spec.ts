import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { COVERAGE, PROTOCOL_RULES } from '../../explorer/coverage.js';
import { RULE_NAMES } from '../../explorer/rules.js';
import { problemOfReference } from '../../support/test-references.js';

describe('docs/protocol-coverage.md', () => {
  it('docs/protocol-coverage.md has every rule of the protocol once, in its order', () => {
    expect(COVERAGE.map(({ rule }) => rule)).toEqual(PROTOCOL_RULES);
  });

  it('docs/protocol-coverage.md names tests that exist', () => {
    const problems = COVERAGE.flatMap(({ tests }) => tests.map(problemOfReference));
    expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
  });

  it('docs/protocol-coverage.md shows each rule by the explorer or by a test', () => {
    const switched = new Set(RULE_NAMES.map((name) => name.split(' ')[0]));
    const bare = COVERAGE.filter(({ rule, tests }) => tests.length === 0 && !switched.has(rule));
    expect(bare).toEqual([]);
  });

  it('docs/protocol-coverage.md gives a counter-example for each switch of the explorer', () => {
    const text = readFileSync('docs/protocol-coverage.md', 'utf8');
    for (const name of RULE_NAMES) expect(text).toContain(`### Without ${name}:`);
    expect(text).not.toContain('Nothing found.');
  });
});
