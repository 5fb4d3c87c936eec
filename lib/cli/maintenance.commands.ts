import { hostname } from 'node:os';
import { apiTokenSweep } from '../api-tokens/api-token-sweep.js';
import { SUPPORTED_FORMAT } from '../database/entities/revocation-event.entity.js';
import type { SeenInstance } from '../database/instance.statements.js';
import type { LoweredBound } from '../database/operator.statements.js';
import { passTime } from '../platform/auth-clock.js';
import { agreedTime } from '../revocation/log/clock-check.service.js';
import { purgeLog } from '../revocation/log/revocation-purge.service.js';
import { sessionSweep } from '../sessions/session-sweep.js';
import { type CommandContext, type CommandLog, isRunning, namesOf } from './command-log.js';
import {
  boundText,
  CommandFailure,
  CommandUsageError,
  isUnbounded,
  plural,
  spanText,
} from './command.js';

// Commands that maintain a log: purge, lower-bound, raise-format and new-history. See docs/cli.md.

/**
 * `nestjs-logout purge`: deletes expired events, as the instances do each minute. Run it for a log that no
 * instance has followed for a while. It deletes in small transactions under the lock on the head (X2). While
 * an instance purges, it does nothing and exits with 0.
 *
 * @throws CommandFailure if the clocks of host and database differ by more than a minute: with a wrong clock,
 * an event could be deleted while its token is still accepted (T2).
 */
export async function purge(
  context: CommandContext,
  /** The application's option `historyFor` (ms). Without it, the rows of sessions and API tokens are kept. */
  { historyFor }: { readonly historyFor?: number | undefined },
): Promise<void> {
  const log = await context.open();
  const { maxTokenLife } = await log.figures();
  let soFar = 0;
  const { outcome, deleted } = await context.output.during(
    'Purging what has expired …',
    async (update) => {
      const purged = await purgeLog(log, log.clock, {
        // The command does not know how long the application keeps its history, so `--history-for` decides.
        sweeps: [
          apiTokenSweep(log, { historyFor }),
          ...(historyFor === undefined ? [] : [sessionSweep(log, { historyFor, maxTokenLife })]),
        ],
        isStopped: () => false,
        // This process has not searched for covered events before, so it starts at 0.
        covered: { through: 0 },
        forgettingTime: (now) => agreedTime(log.clock.wall(), now),
        onDeleted: (count) => update(`${plural((soFar += count), 'row')} deleted …`),
      });
      if (purged.outcome !== 'clocks') return purged;
      throw new CommandFailure(
        'Nothing was deleted: the clocks of this host and of the database differ by more than a minute.',
        'Fix the wrong one (NTP). nestjs-logout doctor shows by how much they differ.',
      );
    },
    'Purged.',
  );
  const busy = outcome === 'elsewhere';
  const text = busy
    ? 'Nothing was deleted: an instance is purging at this moment. Try again in a minute.'
    : `${plural(deleted, 'row')} deleted.`;
  context.output.print([text], { deleted, busy });
}

/**
 * `nestjs-logout new-history` (H3): run it after a backup was restored, while every instance is stopped.
 * Positions continue above every one that the lost history can have assigned, so that later logouts also revoke
 * its tokens. It writes one event under the lock on the head.
 */
export async function newHistory(
  context: CommandContext,
  { yes, force }: { readonly yes?: boolean; readonly force?: boolean },
): Promise<void> {
  const log = await context.open();
  const running = (await log.listInstances()).filter(isRunning);
  if (running.length > 0 && force !== true) {
    throw new CommandFailure(
      `Instances are running, or crashed less than three minutes ago: ${namesOf(running)}.`,
      'Stop every instance first: a revocation that they write before the jump misses tokens of the lost history.',
      'If these rows came with the backup, or if you are sure that the processes have ended, use --force.',
    );
  }
  const what = 'The log starts a new history, above all positions that were ever used.';
  await context.output.confirm(what, yes);
  const { head, events } = await log.startHistory();
  const position = events[0]?.position ?? head.position;
  context.output.print(
    [
      `A new history starts at position ${position} (before: ${head.position}).`,
      'Start the instances now. Tokens whose position was read in the lost future may be refused;',
      'logouts of that future that are not in the backup no longer count: nestjs-logout revoke --everyone revokes those tokens too.',
    ],
    { before: head.position, position },
  );
}

/**
 * `nestjs-logout raise-format` (H5): allows instances to write events that older releases do not understand.
 * The format is never raised automatically: an older release then refuses to boot, so a rollback is no longer
 * possible. It updates the head under its lock, and prints the old and the new format.
 */
export async function raiseFormat(
  context: CommandContext,
  { format: wanted, yes }: { readonly format: string; readonly yes?: boolean },
): Promise<void> {
  const to = formatOf(wanted);
  const log = await context.open();
  if ((await log.figures()).format < to) {
    refuseOlder(await log.listInstances(), to);
    await context.output.confirm(
      `Releases of nestjs-logout that do not understand format ${to} refuse to boot on this log from now on: do not roll back to one.`,
      yes,
    );
  }
  // The format is read again under the lock, because another operator may have raised it during the question.
  const from = await log.underHeadLock(function* (instances, { format }) {
    if (format > to) {
      throw new CommandFailure(
        `The log has format ${format}, and cannot go back to ${to}, because it may have events that format ${to} does not allow.`,
      );
    }
    if (format < to) {
      // An older instance may have started during the question.
      refuseOlder(instances, to);
      yield log.operator.raiseFormat({ format: to });
    }
    return format;
  });
  const text =
    from < to
      ? `The format of the log: ${from} → ${to}.`
      : `Nothing to raise: the log has format ${from}.`;
  context.output.print([text], { from, format: to });
}

function formatOf(given: string): number {
  const format = /^[1-9]\d{0,3}$/.test(given) ? Number(given) : NaN;
  if (format <= SUPPORTED_FORMAT) return format;
  throw new CommandUsageError(
    `The format ${JSON.stringify(given)} is unknown here: this release understands 1 to ${SUPPORTED_FORMAT}.`,
    'Run the command of the release that brings the format, after the last instance of an older one has stopped.',
  );
}

/** Refuses to raise the format while an instance is running that does not understand it. */
function refuseOlder(instances: readonly SeenInstance[], to: number): void {
  const older = instances.filter((instance) => isRunning(instance) && instance.format < to);
  if (older.length === 0) return;
  throw new CommandFailure(
    `The format cannot be raised to ${to}: instances are running that do not understand it: ${namesOf(older)}.`,
    'Update or stop them, and then run this command again.',
    'An instance that crashed counts as running for three minutes.',
  );
}

/** The options of `nestjs-logout lower-bound`. Times are in milliseconds. */
interface LowerBoundOptions {
  readonly maxStaleness?: number;
  readonly maxTokenLife?: number;
  readonly stoppedAt?: number;
  readonly wait?: boolean;
}

/** A registered bound to be lowered (ms). */
interface Lowering {
  readonly bound: LoweredBound;
  readonly from: number;
  readonly to: number;
}

/** The names of the two bounds in the output. */
const NAMES = {
  maxStaleness: { text: 'The registered staleness', json: 'max_staleness' },
  maxTokenLife: { text: 'The registered token lifetime', json: 'max_token_life' },
} as const;

/** Clock rates may differ by 1 %, so the wait is longer by this factor. */
const RATES = 1.02;

/**
 * `nestjs-logout lower-bound` (H4): lowers a registered bound, once the last instance with a larger one has
 * been gone for one old bound, or one old token lifetime. If it were lowered earlier, receipts would promise
 * too much, and events would be purged before their tokens have expired. It updates the head under its lock.
 */
export async function lowerBound(
  context: CommandContext,
  options: LowerBoundOptions,
): Promise<void> {
  if (options.maxStaleness === undefined && options.maxTokenLife === undefined) {
    throw new CommandUsageError('Which one? Give --max-staleness, --max-token-life or both.');
  }
  const log = await context.open();
  const head = await log.figures();
  const lowerings = (['maxStaleness', 'maxTokenLife'] as const).flatMap((bound) => {
    const { [bound]: to } = options;
    return to === undefined || to >= head[bound] ? [] : [{ bound, from: head[bound], to }];
  });
  if (lowerings.length === 0) {
    context.output.print(['Nothing to lower: what is registered is not larger.'], { lowered: [] });
    return;
  }
  refuseLarger(await log.listInstances(), lowerings);
  await passOldBound(context, log, options, lowerings, head.now);
  const lowered = await log.underHeadLock(function* (instances, now) {
    refuseLarger(instances, lowerings);
    // Another operator may have lowered it further meanwhile.
    const still = lowerings.filter(({ bound, to }) => now[bound] > to);
    for (const { bound, to } of still) {
      yield log.operator.lowerBound(bound, to, `lower-bound on ${hostname()}`);
    }
    return still;
  });
  context.output.print(
    lowered.map(
      ({ bound, from, to }) => `${NAMES[bound].text}: ${boundText(from)} → ${boundText(to)}.`,
    ),
    {
      lowered: lowered.map(({ bound, from, to }) => ({
        what: NAMES[bound].json,
        from: from / 1000,
        to: to / 1000,
      })),
    },
  );
}

/** Refuses to lower a bound below what a running instance has registered. */
function refuseLarger(instances: readonly SeenInstance[], lowerings: readonly Lowering[]): void {
  for (const { bound, to } of lowerings) {
    const larger = instances.filter((each) => isRunning(each) && each[bound] > to);
    if (larger.length === 0) continue;
    const largest = Math.max(...larger.map((each) => each[bound]));
    throw new CommandFailure(
      `${NAMES[bound].text} cannot be lowered to ${boundText(to)}: running instances have registered up to ${boundText(largest)}: ${namesOf(larger)}.`,
      'Stop them, or restart them with the smaller setting, and then run this command again.',
      'An instance that crashed counts as running for three minutes.',
    );
  }
}

/** @throws CommandFailure until the last instance with a larger setting has been gone for long enough. */
async function passOldBound(
  context: CommandContext,
  log: CommandLog,
  { stoppedAt, wait }: LowerBoundOptions,
  lowerings: readonly Lowering[],
  now: number,
): Promise<void> {
  const finite = lowerings.map(({ from }) => from).filter((from) => !isUnbounded(from));
  const old = Math.max(0, ...finite);
  if (wait === true) {
    if (finite.length === lowerings.length) return waitHere(context, log, old * RATES);
    throw new CommandFailure(
      'There is no bound to wait for: an instance without a bound may still run, cut off from the database.',
      'Make sure that it is stopped, and pass the time: --stopped-at 2026-01-31T12:00Z',
    );
  }
  if (stoppedAt === undefined) {
    throw new CommandFailure(
      `The last instance with the larger setting must have been gone for ${spanText(old)}: until then its tokens, or its view of the log, may still be in use.`,
      `Pass the time when it was stopped: --stopped-at ${new Date(now - old).toISOString()}`,
      `Or let this command wait for ${spanText(old)}: --wait`,
    );
  }
  // The rows of crashed instances show when they were last seen. A `--stopped-at` before that is wrong.
  const witnesses = (await log.listInstances()).filter(
    (instance) =>
      now - instance.seenAgo > stoppedAt && lowerings.some(({ bound, to }) => instance[bound] > to),
  );
  if (witnesses.length > 0) {
    throw new CommandFailure(
      `--stopped-at is too early. These instances were seen later: ${namesOf(witnesses)}.`,
    );
  }
  const from = stoppedAt + old * RATES;
  if (now >= from) return;
  throw new CommandFailure(
    `It is too early. Wait until ${new Date(from).toISOString()} (by the database’s clock), one old setting after the last such instance was stopped.`,
  );
}

/** Waits on the monotonic clock, which a change of the wall clock does not affect. */
async function waitHere({ output }: CommandContext, log: CommandLog, time: number): Promise<void> {
  const { clock } = log;
  const end = clock.monotonic() + time;
  await output.during(
    `Waiting for ${spanText(time)} …`,
    async (update) => {
      for (let left = time; left > 0; left = end - clock.monotonic()) {
        update(`Waiting for another ${spanText(left)} …`);
        await passTime(clock, Math.min(left, 1_000));
      }
    },
    'One old setting has passed.',
  );
}
