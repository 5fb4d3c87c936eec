import type { DataSource, DataSourceOptions } from 'typeorm';
import { types } from 'node:util';
import type { RevocationHint } from './revocation-hint.js';
import { DATE_FORMS, timeOf } from './duration.js';
import { describeGiven, describeKind, type OptionProblems } from './option-problems.js';
import { readFields, readOptionalText } from './option-readers.js';
import { parseStaleFor, parseStalePolicy, UNBOUNDED } from './stale-policy.js';

/** The option `dataSource`: a name, a DataSource, or options for one. @internal */
export function readDataSource(
  given: unknown,
  problems: OptionProblems,
): string | DataSource | DataSourceOptions | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'string' && given !== '' && !given.includes('://')) return given;
  if (isDataSource(given) || isDataSourceOptions(given)) return given;
  // By kind only: a URL holds the database's password.
  problems.add(
    'dataSource',
    describeKind(given),
    "Give the name of a DataSource, a DataSource, or options such as { type: 'postgres', url }.",
  );
  return undefined;
}

// By shape, not by instanceof: the application's typeorm may be another copy than ours.
function isDataSource(given: unknown): given is DataSource {
  return (
    typeof given === 'object' &&
    given !== null &&
    'options' in given &&
    isDataSourceOptions(given.options) &&
    'createQueryRunner' in given
  );
}

function isDataSourceOptions(given: unknown): given is DataSourceOptions {
  return (
    typeof given === 'object' &&
    given !== null &&
    'type' in given &&
    typeof given.type === 'string' &&
    given.type !== ''
  );
}

/** The option `migrations`. @internal */
export function readMigrations(given: unknown, problems: OptionProblems): 'check' | 'run' {
  if (given === 'check' || given === 'run') return given;
  problems.add('migrations', describeGiven(given), "Write 'check' or 'run'.");
  return 'check';
}

/** The option `tablePrefix`: every statement names it, and index names must stay short. @internal */
export function readTablePrefix(given: unknown, problems: OptionProblems): string | undefined {
  return readOptionalText(
    given,
    'tablePrefix',
    (text) => /^[a-z_][a-z0-9_]{0,31}$/.test(text),
    "Give lower-case letters, digits and _, not a digit first, at most 32: 'shop_'.",
    problems,
  );
}

/** The option `newLog`. @internal */
export function readNewLog(given: unknown, problems: OptionProblems): boolean {
  if (given === undefined || typeof given === 'boolean') return given ?? false;
  problems.add('newLog', describeGiven(given), 'Write true or false.');
  return false;
}

/** The option `schema`: every statement names it, so nothing that needs quoting. @internal */
export function readSchema(given: unknown, problems: OptionProblems): string | undefined {
  return readOptionalText(
    given,
    'schema',
    (text) => /^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(text),
    'Give a plain identifier: letters, digits and _, not a digit first, at most 63.',
    problems,
  );
}

/** The option `strategyName`. @internal */
export function readStrategyName(given: unknown, problems: OptionProblems): string | undefined {
  return readOptionalText(
    given,
    'strategyName',
    // passport keeps strategies in a plain object, and registers 'session' itself.
    (text) =>
      /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/.test(text) && text !== 'session' && !(text in {}),
    "Give 1 to 64 letters, digits or . _ : -, such as 'jwt'; 'session' is passport's own.",
    problems,
  );
}

/** The option `publicMetadataKey`. @internal */
export function readMetadataKey(given: unknown, problems: OptionProblems): string | undefined {
  return readOptionalText(
    given,
    'publicMetadataKey',
    (text) => text.trim() !== '' && text.length <= 128,
    "Give the key that your own @Public() sets, such as 'isPublic'.",
    problems,
  );
}

/** The option `allowedClaims`. @internal */
export function readClaimNames(given: unknown, problems: OptionProblems): readonly string[] {
  if (!Array.isArray(given)) {
    problems.add('allowedClaims', describeKind(given), "Give a list of names, such as ['pin'].");
    return [];
  }
  const names: string[] = [];
  for (const [index, name] of given.entries()) {
    if (typeof name === 'string' && name !== '' && name.length <= 128 && name.isWellFormed())
      names.push(name);
    else
      problems.add(
        `allowedClaims[${index}]`,
        describeGiven(name),
        'Give the exact name of a claim.',
      );
  }
  return Object.freeze(names);
}

const MOST_RETRIES = 1_000;
const MOST_SESSIONS = 10_000;

/** The option `refreshGraceRetries`. @internal */
export function readRetries(given: unknown, problems: OptionProblems): number {
  if (isInteger(given, 0, MOST_RETRIES)) return given;
  problems.add('refreshGraceRetries', describeGiven(given), `Give 0 to ${MOST_RETRIES}.`);
  return 0;
}

/**
 * The option `maxSessions`: by client name. `'*'`, which all other names share, is always there: as
 * small as the smallest that is listed, if it is not itself.
 *
 * @internal
 */
export function readMaxSessions(
  given: unknown,
  problems: OptionProblems,
): ReadonlyMap<string, number> | undefined {
  if (given === false) return undefined;
  if (isInteger(given, 1, MOST_SESSIONS)) return new Map([['*', given]]);
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) {
    const limits = Object.entries(given);
    const isComplete = limits.every(
      ([name, limit]) => isInteger(limit, 1, MOST_SESSIONS) && !name.endsWith(' '),
    );
    if (limits.length > 0 && isComplete) {
      const smallest = Math.min(...limits.map(([, limit]) => limit as number));
      return new Map([['*', smallest], ...(limits as [string, number][])]);
    }
  }
  problems.add(
    'maxSessions',
    describeGiven(given),
    `Give 1 to ${MOST_SESSIONS}, such a number for each client: { web: 5, tv: 1 }, or false for no limit.`,
  );
  return undefined;
}

function isInteger(given: unknown, from: number, to: number): given is number {
  return Number.isSafeInteger(given) && (given as number) >= from && (given as number) <= to;
}

/** How far ahead the end of `observe` may lie (ms). */
const LONGEST_OBSERVATION = 30 * 86_400_000;

/** The option `whenStale`: milliseconds of staleness up to which is accepted. @internal */
export function readWhenStale(
  given: unknown,
  maxStaleness: number,
  problems: OptionProblems,
): number {
  const parsed = parseStalePolicy(given, maxStaleness);
  if (typeof parsed === 'number') return parsed;
  problems.add('whenStale', describeGiven(given), parsed.fix);
  return maxStaleness;
}

/** The option `overrideCeiling`, in milliseconds. @internal */
export function readOverrideCeiling(
  given: unknown,
  maxStaleness: number,
  problems: OptionProblems,
): number | undefined {
  if (given === undefined) return undefined;
  const parsed = given === 'open' ? UNBOUNDED : parseStaleFor(given, maxStaleness);
  if (typeof parsed === 'number') return parsed;
  problems.add('overrideCeiling', describeGiven(given), parsed.fix);
  return undefined;
}

/**
 * The option `openAcknowledgedBy`; in production it must be there if `open` says so.
 *
 * @internal
 */
export function readAcknowledgement(
  given: unknown,
  isOpen: boolean,
  problems: OptionProblems,
): string | undefined {
  if (given === undefined) {
    if (isOpen && isProduction()) {
      problems.add(
        'openAcknowledgedBy',
        'nothing',
        "Name who decided that revoked tokens are accepted while nothing can be proven, or use { staleFor } instead of 'open'.",
      );
    }
    return undefined;
  }
  if (isActor(given)) return given;
  problems.add('openAcknowledgedBy', describeGiven(given), 'Give a name of 1 to 255 characters.');
  return undefined;
}

/** The option `observe`: its end in epoch ms, judged by the host's clock. @internal */
export function readObserve(given: unknown, problems: OptionProblems): number | undefined {
  if (given === undefined) return undefined;
  const fields = readFields(given, 'observe', ['until'], new Map(), problems);
  if (fields === null) return undefined;
  const { until } = fields;
  const shown = types.isDate(until) ? 'a Date' : describeGiven(until);
  const time = timeOf(until);
  if (Number.isNaN(time)) problems.add('observe.until', shown, DATE_FORMS);
  // One that is over is good: a pod that restarts the night after must come up, and enforce.
  else if (time - Date.now() > LONGEST_OBSERVATION) {
    problems.add('observe.until', shown, 'Give a time at most 30 days ahead.');
  }
  return time;
}

/** The option `follow`. @internal */
export function readFollow(given: unknown, problems: OptionProblems): boolean {
  if (typeof given === 'boolean') return given;
  problems.add('follow', describeKind(given), 'Write true or false.');
  return true;
}

/** Who did or decided something: well-formed, 1 to 255 characters, not blank, on one line. @internal */
export function isActor(given: unknown): given is string {
  return (
    typeof given === 'string' &&
    given.trim() !== '' &&
    given.length <= 255 &&
    given.isWellFormed() &&
    !/\p{Cc}/u.test(given)
  );
}

/** Whether this is a production process, as Nest applications say it. @internal */
export function isProduction(): boolean {
  return process.env['NODE_ENV'] === 'production';
}

/** The option `hint`. @internal */
export function readHint(given: unknown, problems: OptionProblems): RevocationHint | undefined {
  if (given === undefined || isHint(given)) return given;
  // By kind only: a URL holds a password.
  problems.add(
    'hint',
    describeKind(given),
    typeof given === 'function'
      ? 'Call it: hint: postgresHint().'
      : 'Give postgresHint(), redisHint({ url }), natsHint({ servers }), or a RevocationHint of your own.',
  );
  return undefined;
}

// By shape, not by instanceof: an application may bring its own.
function isHint(given: unknown): given is RevocationHint {
  if (typeof given !== 'object' || given === null) return false;
  const { name, whenUnheard, prepare, connect } = given as Partial<Record<string, unknown>>;
  return (
    typeof name === 'string' &&
    typeof whenUnheard === 'string' &&
    typeof prepare === 'function' &&
    typeof connect === 'function'
  );
}
