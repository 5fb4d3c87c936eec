import type { OptionProblems } from './option-problems.js';
import { describeGiven, describeKind } from './option-problems.js';
import { readDuration, readExactName, readFields, type DurationLimits } from './option-readers.js';
import type { ResolvedForeignIssuer } from './resolved-auth-options.js';

const FIELDS = ['issuer', 'maxTokenLife', 'maxSessionLife', 'claims'] as const;
const CLAIMS = ['jti', 'sid'] as const;
const FAMILIAR: ReadonlyMap<string, string> = new Map([
  ['iss', 'Call it issuer.'],
  ['name', 'Call it issuer.'],
]);

// Every end of a token or session is remembered this long, so there must be an end to it.
const LIFE: DurationLimits = { from: [1_000, '1 s'], to: [366 * 86_400_000, '366 days'] };

/**
 * Checks the option `foreign`; each issuer once, and never our own: its tokens have rules of their
 * own, and would else be taken by the looser ones.
 *
 * @internal
 */
export function readForeignIssuers(
  given: unknown,
  ownIssuer: unknown,
  problems: OptionProblems,
): readonly ResolvedForeignIssuer[] {
  if (!Array.isArray(given)) {
    problems.add(
      'foreign',
      describeKind(given),
      'Give a list of { issuer, maxTokenLife, maxSessionLife, claims }.',
    );
    return [];
  }
  const issuers: ResolvedForeignIssuer[] = [];
  // Not forEach, here and elsewhere: it skips the holes of an array.
  for (const [index, one] of given.entries()) {
    const option = `foreign[${index}]`;
    const issuer = readForeignIssuer(one, option, problems);
    if (issuer === null) continue;
    if (issuer.issuer !== '' && issuer.issuer === ownIssuer)
      problems.add(`${option}.issuer`, 'our own issuer', 'List only the issuers of other tokens.');
    else if (issuer.issuer !== '' && issuers.some((earlier) => earlier.issuer === issuer.issuer))
      problems.add(`${option}.issuer`, 'an issuer that stands there before', 'List each once.');
    issuers.push(issuer);
  }
  return Object.freeze(issuers);
}

function readForeignIssuer(
  given: unknown,
  option: string,
  problems: OptionProblems,
): ResolvedForeignIssuer | null {
  const fields = readFields(given, option, FIELDS, FAMILIAR, problems);
  if (fields === null) return null;
  const example = 'https://login.example.com/';
  const issuer = readExactName(fields.issuer, `${option}.issuer`, example, problems);
  const before = problems.count;
  const maxTokenLife = readDuration(fields.maxTokenLife, `${option}.maxTokenLife`, LIFE, problems);
  const maxSessionLife = readDuration(
    fields.maxSessionLife,
    `${option}.maxSessionLife`,
    LIFE,
    problems,
  );
  // A session's end must be known until its last token has expired.
  if (problems.count === before && maxSessionLife < maxTokenLife)
    problems.add(
      `${option}.maxSessionLife`,
      describeGiven(fields.maxSessionLife),
      'Give at least maxTokenLife: a session lasts until its last token has expired.',
    );
  const claims = readClaimNames(fields.claims, `${option}.claims`, problems);
  return Object.freeze({ issuer, maxTokenLife, maxSessionLife, claims });
}

/**
 * The option `acceptWithoutKid`: issuers that are known.
 *
 * @internal
 */
export function readIssuersWithoutKid(
  given: unknown,
  known: readonly string[],
  problems: OptionProblems,
): readonly string[] {
  if (!Array.isArray(given)) {
    problems.add('acceptWithoutKid', describeKind(given), 'Give a list of issuers.');
    return [];
  }
  for (const [index, issuer] of given.entries()) {
    if (known.includes(issuer)) continue;
    problems.add(
      `acceptWithoutKid[${index}]`,
      describeGiven(issuer),
      'Give the exact text of issuer, or of an issuer of foreign.',
    );
  }
  return Object.freeze([...given]);
}

function readClaimNames(
  given: unknown,
  option: string,
  problems: OptionProblems,
): ResolvedForeignIssuer['claims'] {
  const standard = { jti: 'jti', sid: 'sid' };
  if (given === undefined) return standard;
  const fields = readFields(given, option, CLAIMS, new Map(), problems);
  if (fields === null) return standard;
  const name = (claim: 'jti' | 'sid'): string =>
    fields[claim] === undefined
      ? claim
      : readExactName(fields[claim], `${option}.${claim}`, 'uti', problems);
  const names = { jti: name('jti'), sid: name('sid') };
  if (names.jti === names.sid) {
    problems.add(
      option,
      describeGiven(names.jti),
      'Give two claims: one names the token, one its session.',
    );
  }
  return Object.freeze(names);
}
