import { writeFileSync } from 'node:fs';
import { coverageMarkdown } from './coverage-markdown.js';
import { exploreApart } from './explore-apart.js';

// Run it from the root of the repository after a change of a rule, a scope or coverage.ts.
writeFileSync(
  'docs/protocol-coverage.md',
  coverageMarkdown(await exploreApart('rules'), await exploreApart('feeds')),
);
