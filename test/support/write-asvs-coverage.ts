import { writeFileSync } from 'node:fs';
import { asvsMarkdown } from './asvs-markdown.js';

// Run from the root of the repository after asvs-coverage.ts has changed.
writeFileSync('docs/asvs-coverage.md', asvsMarkdown());
