import { readFileSync, writeFileSync } from 'node:fs';
import { compatibilityTables } from '../transports/support/compatibility.js';
import { transportsTables } from '../transports/support/table.js';
import { errorCodesPage } from './error-codes-page.js';
import { optionsPage } from './options-page.js';

// Run from the root of the repository after a docstring of an option, a row of the error codes, or the
// matrix of transports has changed.
writeFileSync('docs/options.md', optionsPage());
writeFileSync('docs/error-codes.md', errorCodesPage());
writeFileSync(
  'docs/transports.md',
  // The first two tables of the page.
  readFileSync('docs/transports.md', 'utf8').replace(
    /(?<=\n\n)\|[^]*?\n\n\|[^]*?(?=\n\n)/,
    transportsTables,
  ),
);
writeFileSync(
  'docs/compatibility.md',
  readFileSync('docs/compatibility.md', 'utf8').replace(
    /(?<=<!-- tables -->\n)[^]*?(?=<!-- \/tables -->)/,
    () => `\n${compatibilityTables()}\n\n`,
  ),
);
