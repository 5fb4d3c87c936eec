import { writeFileSync } from 'node:fs';
import { optionsPage } from './options-page.js';

// Run from the root of the repository after a docstring of an option has changed.
writeFileSync('docs/options.md', optionsPage());
