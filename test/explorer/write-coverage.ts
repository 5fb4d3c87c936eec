import { writeFileSync } from 'node:fs';
import { coverageMarkdown } from './coverage-markdown.js';
import { exploreApart } from './explore-apart.js';

// Run from the root of the repository after a rule, a scope or coverage.ts has changed.
writeFileSync(
  'docs/protocol-coverage.md',
  coverageMarkdown(await exploreApart('rules'), await exploreApart('feeds')),
);
