import { SUPPORTED_FORMAT } from '../database/entities/revocation-event.entity.js';
import { instanceOf, type SeenInstance } from '../database/instance.statements.js';
import type { Transaction } from '../database/statement.js';
import { integerOf } from '../database/entities/table.js';
import { type CommandLog, withLog } from './command-log.js';
import { isRunning, namesOf } from './command-options.js';
import { type CommandContext, CommandFailure, CommandUsageError, EXIT } from './command.js';
import { readFigures } from './log-figures.js';
import type { TargetOptions } from './log-target.js';

/** The options of `nestjs-logout raise-format`, and its argument. */
export interface RaiseFormatOptions extends TargetOptions {
  readonly format: string;
  readonly yes?: boolean | undefined;
}

/**
 * `nestjs-logout raise-format` (H5): instances write what only newer releases understand once the last
 * older one has stopped. Nothing raises the format by itself: an older release then refuses to boot, so a
 * roll-back is no longer possible.
 */
export async function raiseFormat(
  context: CommandContext,
  options: RaiseFormatOptions,
): Promise<number> {
  const { output } = context;
  const to = wantedOf(options.format);
  return withLog(context, options, async (log) => {
    const { format } = await readFigures(log);
    if (format < to) {
      refuseWhileRunning(await log.listInstances(), to);
      await output.confirm(
        `Releases of nestjs-logout that do not understand format ${to} refuse to boot on this log from now on: do not roll back to one.`,
        options.yes,
      );
    }
    const from = await log.database.transaction(() => raise(log, to));
    output.print(
      [
        from < to
          ? `The format of the log: ${from} → ${to}.`
          : `Nothing to raise: the log has format ${from}.`,
      ],
      { from, format: to },
    );
    return EXIT.ok;
  });
}

function wantedOf(given: string): number {
  const format = /^[1-9]\d{0,3}$/.test(given) ? Number(given) : NaN;
  if (format <= SUPPORTED_FORMAT) return format;
  throw new CommandUsageError(
    `The format ${JSON.stringify(given)} is unknown here: this release understands 1 to ${SUPPORTED_FORMAT}.`,
    'Run the command of the release that brings the format, after the last instance of an older one has stopped.',
  );
}

function refuseWhileRunning(instances: readonly SeenInstance[], to: number): void {
  const older = instances.filter((instance) => isRunning(instance) && instance.format < to);
  if (older.length === 0) return;
  throw new CommandFailure(
    `The format cannot be raised to ${to}: instances are running that do not understand it: ${namesOf(older)}.`,
    'Update or stop them, and run this command after that.',
    'An instance that crashed counts as running for three minutes.',
  );
}

/** Runs under the head's lock, which an instance needs to register, so no new one is missed. */
function* raise(log: CommandLog, to: number): Transaction<number> {
  const { rows } = yield log.statements.lockHead();
  const from = integerOf(rows[0]?.['format']);
  if (from > to) {
    throw new CommandFailure(
      `The log has format ${from}, and cannot go back to ${to}: it may hold events that ${to} does not have.`,
    );
  }
  if (from === to) return from;
  const { rows: instances } = yield log.instances.list();
  refuseWhileRunning(instances.map(instanceOf), to);
  yield log.operator.raiseFormat(to);
  return from;
}
