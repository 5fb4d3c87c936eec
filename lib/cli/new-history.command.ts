import { withLog } from './command-log.js';
import { isRunning, namesOf } from './command-options.js';
import { type CommandContext, CommandFailure, EXIT } from './command.js';
import type { TargetOptions } from './log-target.js';

/** The options of `nestjs-logout new-history`. */
export interface NewHistoryOptions extends TargetOptions {
  readonly yes?: boolean | undefined;
  readonly force?: boolean | undefined;
}

/**
 * `nestjs-logout new-history` (H3): after a backup was restored with every instance stopped, and before
 * the first one starts. Positions continue above every one that the lost future can have handed out,
 * so that later logouts also revoke its tokens.
 */
export async function newHistory(
  context: CommandContext,
  options: NewHistoryOptions,
): Promise<number> {
  const { output } = context;
  return withLog(context, options, async (log) => {
    const running = (await log.listInstances()).filter(isRunning);
    if (running.length > 0 && options.force !== true) {
      throw new CommandFailure(
        `Instances are running, or crashed less than three minutes ago: ${namesOf(running)}.`,
        'Stop every instance first: a revocation that they write before the jump misses tokens of the lost future.',
        'If these rows came with the backup, or their processes have certainly ended: --force.',
      );
    }
    await output.confirm(
      'The log starts a new history, above all positions there ever were.',
      options.yes,
    );
    const { head, events } = await log.startHistory();
    const position = events[0]?.position ?? head.position;
    output.print(
      [
        `A new history starts at position ${position} (before: ${head.position}).`,
        'Start the instances now. Tokens whose position was read in the lost future may be refused;',
        'logouts of that future that are not in the backup no longer count: nestjs-logout revoke --everyone revokes those tokens too.',
      ],
      { before: head.position, position },
    );
    return EXIT.ok;
  });
}
