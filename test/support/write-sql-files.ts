import { mkdirSync, writeFileSync } from 'node:fs';
import { sqlFiles } from './sql-files.js';

// Run from the root of the repository after the tables have changed.
mkdirSync('docs/sql', { recursive: true });
for (const [name, text] of sqlFiles()) writeFileSync(`docs/sql/${name}`, text);
