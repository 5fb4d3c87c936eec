import { EventKeys } from '../revocation/log/event-key.js';
import { isIdentifier } from '../platform/identifier.js';
import { CommandUsageError } from './command-errors.js';
import type { CommandLog } from './command-log.js';

/** The options that say whose tokens are meant. */
export interface IssuerOptions {
  readonly issuer?: string | undefined;
  readonly foreign?: boolean | undefined;
}

/**
 * The issuer that is meant, and the keys of its events (W2). Ids of our own issuer have other keys than
 * those of a foreign one, and a slip in the name would end nothing: so it is compared with what the
 * instances registered.
 *
 * @throws CommandUsageError when it is not known, or contradicts the instances.
 */
export async function readIssuer(
  log: CommandLog,
  { issuer, foreign = false }: IssuerOptions,
): Promise<{ readonly issuer: string; readonly keys: EventKeys }> {
  const known = [...new Set((await log.listInstances()).map((instance) => instance.issuer))];
  const [only] = known;
  if (issuer === undefined) {
    if (only !== undefined && known.length === 1 && !foreign) {
      return { issuer: only, keys: new EventKeys(only) };
    }
    throw new CommandUsageError(
      `Whose tokens? Give --issuer, exactly as the option issuer of AuthModule.forRoot() has it.`,
      known.length === 0 ? 'No instance is known in this database.' : `Known: ${known.join(', ')}`,
    );
  }
  if (!isIdentifier(issuer)) throw new CommandUsageError('--issuer must have 1 to 255 characters.');
  if (foreign) {
    if (!known.includes(issuer)) return { issuer, keys: new EventKeys('') };
    throw new CommandUsageError(
      `--foreign: the issuer ${issuer} is the instances’ own.`,
      'Leave --foreign out.',
    );
  }
  if (known.length === 0 || known.includes(issuer)) return { issuer, keys: new EventKeys(issuer) };
  throw new CommandUsageError(
    `No instance has the issuer ${issuer}; they have ${known.join(', ')}. Nothing would be ended.`,
    'Correct --issuer; it is compared exactly.',
    'If these tokens are somebody else’s (the option foreign of AuthModule.forRoot()), add --foreign.',
  );
}
