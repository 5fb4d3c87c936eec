import type { RevocationHint } from '../revocation/push/revocation-hint.js';
import { describeKind, type OptionProblems } from './option-problems.js';

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
