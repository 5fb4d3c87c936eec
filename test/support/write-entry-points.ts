import { writeFileSync } from 'node:fs';
import { entryPointsMarkdown } from './entry-points.js';

// Run from the root of the repository after entry-points.ts has changed.
writeFileSync('docs/entry-points.md', entryPointsMarkdown());
