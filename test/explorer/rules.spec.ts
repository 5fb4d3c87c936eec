import { beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { coverageMarkdown } from './coverage-markdown.js';
import { EXPLORING_LIMIT, exploreApart } from './explore-apart.js';
import type { Exploration } from './explore.js';
import { RULE_NAMES, RULES } from './rules.js';
import { WRONG_FEEDS } from './wrong-scopes.js';

describe('the explorer', () => {
  let rules: ReadonlyMap<string, Exploration>;
  let feeds: ReadonlyMap<string, Exploration>;

  beforeAll(async () => {
    rules = await exploreApart('rules');
    feeds = await exploreApart('feeds');
  }, EXPLORING_LIMIT);

  it.each(RULE_NAMES.map((name) => [name, RULES[name]] as const))(
    'the explorer shows what %s is for: without it %s',
    (name) => {
      expect(rules.get(name)?.violation?.steps.length).toBeGreaterThan(0);
    },
  );

  it.each(Object.entries(WRONG_FEEDS))(
    'the explorer catches the broken feed "%s"',
    (name, { breaks }) => {
      expect(feeds.get(name)?.violation?.promise).toMatch(breaks);
    },
  );

  it('docs/protocol-coverage.md has the findings of the explorer (else: node build/test/explorer/write-coverage.js)', () => {
    expect(readFileSync('docs/protocol-coverage.md', 'utf8')).toBe(coverageMarkdown(rules, feeds));
  });
});
