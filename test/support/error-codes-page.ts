import { ERROR_CODES } from '../../lib/errors/error-codes.js';

/** The text of docs/error-codes.md. */
export function errorCodesPage(): string {
  const rows = Object.entries(ERROR_CODES).map(
    ([code, { status, message, when }]) => `| ${status} | \`${code}\` | ${message} | ${when} |`,
  );
  const table = [
    '| status | code | sentence | when it is sent, and what the client does |',
    '|---|---|---|---|',
    ...rows.toSorted((a, b) => Number(a.slice(2, 5)) - Number(b.slice(2, 5))),
  ];
  return `${[
    '# Error codes',
    '<!-- Generated from lib/errors/error-codes.ts: node build/test/support/write-generated-pages.js -->',
    'Every refusal has the body `{ statusCode, error, message, code, reason? }`. Programs use `code`, which is not renamed within a major version; `message` is for people and may be more precise than the sentence here. `reason` is only sent to the owner of a validly signed token.',
    'Every 401 has `WWW-Authenticate: Bearer …` (RFC 6750), or `DPoP …` (RFC 9449); every 429 and 503 has `Retry-After`.',
    table.join('\n'),
  ].join('\n\n')}\n`;
}
