import { agreedTime } from '../revocation/log/clock-check.service.js';
import { CoveredEvents, purgeLog } from '../revocation/log/purge-log.js';
import { sessionSweep } from '../sessions/session-purge.service.js';
import { withLog } from './command-log.js';
import { durationOption, plural } from './command-options.js';
import { type CommandContext, CommandFailure, EXIT } from './command.js';
import type { TargetOptions } from './log-target.js';

/** The options of `nestjs-logout purge`. */
export interface PurgeOptions extends TargetOptions {
  /** As `historyFor` of the application; without it sessions are left alone. */
  readonly historyFor?: string | undefined;
}

/** `nestjs-logout purge`: deletes what can end no token any more, as the instances do each minute. */
export async function purge(context: CommandContext, options: PurgeOptions): Promise<number> {
  const historyFor =
    options.historyFor === undefined
      ? undefined
      : durationOption('--history-for', options.historyFor);
  return withLog(context, options, async (log) => {
    const { maxTokenLife } = await log.head();
    const progress = await context.output.progress('Purging what has expired …');
    let soFar = 0;
    try {
      const { outcome, deleted } = await purgeLog(log, log.clock, {
        // How long an application keeps its history only its own options know.
        sweeps: historyFor === undefined ? [] : [sessionSweep(log, { historyFor, maxTokenLife })],
        isStopped: () => false,
        covered: new CoveredEvents(),
        forgettingTime: (now) => agreedTime(log.clock.wall(), now),
        onDeleted: (count) => progress.update(`${plural((soFar += count), 'row')} deleted …`),
      });
      progress.done('Purged.');
      if (outcome === 'clocks') {
        throw new CommandFailure(
          'Nothing was deleted: the clocks of this host and of the database differ by more than a minute.',
          'Set the wrong one (NTP); nestjs-logout doctor says by how much they differ.',
        );
      }
      const text =
        outcome === 'elsewhere'
          ? 'Nothing was deleted: an instance is purging at this moment. Try again in a minute.'
          : `${plural(deleted, 'row')} deleted.`;
      context.output.print([text], { deleted, busy: outcome === 'elsewhere' });
      return EXIT.ok;
    } catch (error) {
      progress.stop();
      throw error;
    }
  });
}
