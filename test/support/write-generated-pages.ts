import { writeFileSync } from 'node:fs';
import { errorCodesPage } from './error-codes-page.js';
import { optionsPage } from './options-page.js';

// Run from the root of the repository after a docstring of an option, or a row of the error codes, has changed.
writeFileSync('docs/options.md', optionsPage());
writeFileSync('docs/error-codes.md', errorCodesPage());
