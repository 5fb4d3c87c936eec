import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { COOKIE_OPTIONS } from '../../../lib/http/cookie-options.js';
import { HTTP_OPTIONS } from '../../../lib/http/http-options.js';
import { AUTH_OPTIONS } from '../../../lib/options/auth-option-table.js';
import { errorCodesPage } from '../../support/error-codes-page.js';
import { problemOfReference } from '../../support/test-references.js';
import {
  compatibilityTables,
  NEST,
  rowsWithoutSpec,
  SHOWN,
} from '../../transports/support/compatibility.js';
import { transportsTables } from '../../transports/support/table.js';
import { optionsOf, optionsPage, SECTIONS } from '../../support/options-page.js';

describe('a generated page of the documentation', () => {
  it.each([
    ['docs/options.md', optionsPage],
    ['docs/error-codes.md', errorCodesPage],
  ])('%s is up to date (else: node build/test/support/write-generated-pages.js)', (file, page) => {
    expect(readFileSync(file, 'utf8')).toBe(page());
  });
});

describe('docs/transports.md', () => {
  it('docs/transports.md has the tables of what the tests show (else: node build/test/support/write-generated-pages.js)', () => {
    expect(readFileSync('docs/transports.md', 'utf8')).toContain(`\n\n${transportsTables()}\n\n`);
  });
});

describe('docs/compatibility.md', () => {
  it('docs/compatibility.md has the tables of what the tests show (else: node build/test/support/write-generated-pages.js)', () => {
    const page = readFileSync('docs/compatibility.md', 'utf8');
    expect(page).toContain(`<!-- tables -->\n\n${compatibilityTables()}\n\n<!-- /tables -->`);
  });

  it('docs/compatibility.md names tests that exist, and a spec for each transport', () => {
    const named = [
      ...Object.values(SHOWN).flatMap((evidence) => evidence.map(({ test }) => test)),
      ...Object.values(NEST).flatMap((by) => Object.values(by) as string[]),
    ];
    expect(named.map(problemOfReference).filter((problem) => problem !== undefined)).toEqual([]);
    expect(rowsWithoutSpec()).toEqual([]);
  });
});

describe('the docstrings of the options', () => {
  const documented = SECTIONS.flatMap(({ of }) =>
    of.flatMap(([file, name]) => optionsOf(file, name).map((each) => ({ ...each, of: name }))),
  );

  it('the docstrings describe each option, and the default of each optional one', () => {
    const unsaid = documented.filter(
      ({ paragraphs, isRequired, defaultsTo, name }) =>
        paragraphs.length === 0 || (!isRequired && !defaultsTo && !/^(secret|keys)$/.test(name)),
    );
    expect(unsaid).toEqual([]);
  });

  it.each([
    ['AUTH_OPTIONS', AUTH_OPTIONS, /^(With|(Auth|Session|Operation|ApiToken)Settings$)/],
    ['HTTP_OPTIONS', HTTP_OPTIONS, /^AuthHttpOptions$/],
    ['COOKIE_OPTIONS', COOKIE_OPTIONS, /^CookieOptions$/],
  ])('the docstrings give the options and the defaults of the table %s', (_name, table, types) => {
    const described = documented.filter((each) => types.test(each.of));
    expect(described.map(({ name }) => name).toSorted()).toEqual(Object.keys(table).toSorted());
    for (const { name, defaultsTo = '' } of described) {
      const value = (table as Readonly<Record<string, { default: unknown }>>)[name]?.default;
      // Words where there is no value, else the value, and perhaps words after it.
      const start = value === undefined ? /^(?!'|\d|\[|true\b|false\b)/ : shown(value);
      expect([name, defaultsTo]).toEqual([name, expect.stringMatching(start)]);
    }
  });
});

function shown(value: unknown): RegExp {
  const text =
    typeof value === 'string'
      ? `'${value}'`
      : typeof value === 'function'
        ? String(value)
        : JSON.stringify(value);
  return new RegExp(`^${text.replaceAll(/[^\w]/g, '\\$&')}(?!\\w)`);
}
