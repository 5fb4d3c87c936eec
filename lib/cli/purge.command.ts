import { agreedTime } from '../revocation/log/clock-check.service.js';
import { purgeLog } from '../revocation/log/purge-log.js';
import { sessionSweep } from '../sessions/session-sweep.js';
import { withLog } from './command-log.js';
import { plural } from './command-options.js';
import { type CommandContext, CommandFailure, EXIT } from './command.js';
import type { TargetOptions } from './log-target.js';

/** The options of `nestjs-logout purge`. */
export interface PurgeOptions extends TargetOptions {
  /** As `historyFor` of the application (ms); without it the rows of sessions are kept. */
  readonly historyFor?: number | undefined;
}

/** `nestjs-logout purge`: deletes what no token needs any more, as the instances do each minute. */
export async function purge(context: CommandContext, options: PurgeOptions): Promise<number> {
  const { historyFor } = options;
  return withLog(context, options, async (log) => {
    const { maxTokenLife } = await log.head();
    let soFar = 0;
    const { outcome, deleted } = await context.output.during(
      'Purging what has expired …',
      async (update) => {
        const purged = await purgeLog(log, log.clock, {
          // Only the options of the application say how long it keeps its history.
          sweeps: historyFor === undefined ? [] : [sessionSweep(log, { historyFor, maxTokenLife })],
          isStopped: () => false,
          covered: { through: 0 },
          forgettingTime: (now) => agreedTime(log.clock.wall(), now),
          onDeleted: (count) => update(`${plural((soFar += count), 'row')} deleted …`),
        });
        if (purged.outcome !== 'clocks') return purged;
        throw new CommandFailure(
          'Nothing was deleted: the clocks of this host and of the database differ by more than a minute.',
          'Fix the wrong one (NTP); nestjs-logout doctor reports by how much they differ.',
        );
      },
      'Purged.',
    );
    const text =
      outcome === 'elsewhere'
        ? 'Nothing was deleted: an instance is purging at this moment. Try again in a minute.'
        : `${plural(deleted, 'row')} deleted.`;
    context.output.print([text], { deleted, busy: outcome === 'elsewhere' });
    return EXIT.ok;
  });
}
