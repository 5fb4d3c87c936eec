import { asvsCoverage, type AsvsEntry } from './asvs-coverage.js';

const INTRODUCTION = `# OWASP ASVS 5.0

Generated from \`test/support/asvs-coverage.ts\` by \`node build/test/support/write-asvs-coverage.js\`; do not
edit it by hand. A test fails when a named test does not exist or a number is missing.

The numbers are those of [ASVS 5.0](https://github.com/OWASP/ASVS/tree/v5.0.0) that concern tokens, sessions
and logout, in our words. Tests are identified by their file below \`test/\` and a part
of their title. An application that uses the library still answers for its own part.
`;

const CHAPTERS: readonly (readonly [number, string])[] = [
  [3, 'Web frontend'],
  [4, 'API and web service'],
  [7, 'Session management'],
  [9, 'Self-contained tokens'],
  [10, 'OAuth and OIDC'],
  [11, 'Cryptography'],
  [15, 'Secure coding'],
  [16, 'Logging and errors'],
];

/** The text of docs/asvs-coverage.md. */
export function asvsMarkdown(entries: readonly AsvsEntry[] = asvsCoverage): string {
  const tables = CHAPTERS.map(([chapter, title]) => {
    const rows = entries.filter(({ number }) => number.startsWith(`${chapter}.`));
    return (
      `\n## V${chapter} ${title}\n\n` +
      '| number | asks | answer | shown by |\n|---|---|---|---|\n' +
      rows.map((row) => `| ${row.number} | ${row.asks} | ${cellsOf(row)} |\n`).join('')
    );
  });
  return `${INTRODUCTION}\n${summaryOf(entries)}${tables.join('')}`;
}

function cellsOf(entry: AsvsEntry): string {
  if ('not' in entry) return `Not the library’s. ${entry.not} | `;
  const tests = [entry.test].flat().map((test) => `\`${test}\``);
  return `${entry.but === undefined ? 'Yes.' : `In part. ${entry.but}`} | ${tests.join('<br>')}`;
}

function summaryOf(entries: readonly AsvsEntry[]): string {
  const count = (is: (entry: AsvsEntry) => boolean): number => entries.filter(is).length;
  const partly = count((entry) => 'test' in entry && entry.but !== undefined);
  const shown = count((entry) => 'test' in entry) - partly;
  return (
    `${entries.length} numbers: ${shown} shown, ${partly} shown in part (what is left is said), ` +
    `${count((entry) => 'not' in entry)} not the library’s.\n`
  );
}
