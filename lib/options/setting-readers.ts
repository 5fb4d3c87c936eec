import type { DataSource, DataSourceOptions } from 'typeorm';
import { describeGiven, describeKind, type OptionProblems } from './option-problems.js';
import { readOptionalText } from './option-readers.js';

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
