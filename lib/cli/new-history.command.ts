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
 * `nestjs-logout new-history` (H3): after a backup was put back with every instance stopped, and before
 * the first one starts. Positions go on above every one that the lost future can have handed out, so
 * that later logouts hold against its tokens too.
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
        `Instances are running, or ended without a word less than three minutes ago: ${namesOf(running)}.`,
        'Stop every instance first; what they write before the jump spares tokens of the lost future.',
        'If these rows came with the backup, or their processes are surely dead: --force.',
      );
    }
    await output.confirm(
      'The log begins a new history, above all positions there ever were.',
      options.yes,
    );
    const { head, events } = await log.beginHistory();
    const position = events[0]?.position ?? head.position;
    output.print(
      [
        `A new history begins at position ${position} (before: ${head.position}).`,
        'Start the instances now. Tokens whose position was read in the lost future may be refused;',
        'what was logged out in it and is not in the backup is good again: nestjs-logout revoke --everyone ends that.',
      ],
      { before: head.position, position },
    );
    return EXIT.ok;
  });
}
