import type { CommandContext } from './command-log.js';
import { doctor } from './doctor.command.js';
import { explain } from './explain.command.js';
import { lowerBound, newHistory, purge, raiseFormat } from './maintenance.commands.js';
import { migrate } from './migrate.command.js';
import { revoke, revokeKey } from './revoke.command.js';
import { status } from './status.command.js';

/** Options in, exit code out; `undefined` is 0. */
type Run = (context: CommandContext, options: never) => Promise<number | void>;

/** What each command does, by its name. A file of its own, loaded when one runs: `--help` needs no TypeORM. */
export const COMMANDS = {
  status,
  doctor,
  explain,
  revoke,
  'revoke-key': revokeKey,
  purge,
  migrate,
  'lower-bound': lowerBound,
  'raise-format': raiseFormat,
  'new-history': newHistory,
} satisfies Record<string, Run>;
