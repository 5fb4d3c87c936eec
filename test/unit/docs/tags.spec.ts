import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { problemOfReference, referencesIn } from '../../support/test-references.js';

const protocol = readFileSync('docs/protocol.md', 'utf8');
const requirements = readFileSync('docs/requirements.md', 'utf8');

/** A rule of the log, or a numbered requirement; `[1-9]` keeps `T00:00:00Z` out. */
const TAG = /\b(?:[GWCHFTXLSO][1-9]\d?|[A-Z]{2}-\d{2})\b/g;

const cited = new Set(
  ['lib', 'test'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => [...readFileSync(join(folder, name), 'utf8').matchAll(TAG)])
      .map(([tag]) => tag),
  ),
);

const defined = [
  ...[...protocol.matchAll(/^### ([A-Z]\d+) /gm)].map(([, tag]) => tag),
  ...[...requirements.matchAll(/^\| ([A-Z]{2}-\d{2}|S\d+) \|/gm)].map(([, tag]) => tag),
];

describe('docs/protocol.md and docs/requirements.md', () => {
  it('the two pages define every tag that lib and test cite', () => {
    expect([...cited].filter((tag) => !defined.includes(tag)).toSorted()).toEqual([]);
  });

  it('the two pages define no tag that no file cites, and none twice', () => {
    expect(defined.filter((tag) => !cited.has(tag ?? ''))).toEqual([]);
    expect(defined).toHaveLength(new Set(defined).size);
  });

  it('the two pages name for each rule of the log a test that exists', () => {
    const rules = protocol.split(/^### /m).slice(1);
    const bare = rules.filter((text) => referencesIn(text).length === 0);
    expect(bare.map((text) => text.split(' ', 1)[0])).toEqual([]);
    const problems = referencesIn(protocol).map(problemOfReference);
    expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
  });
});
