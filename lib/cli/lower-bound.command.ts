import { hostname } from 'node:os';
import { instanceOf, type SeenInstance } from '../database/instance.statements.js';
import { type Transaction } from '../database/statement.js';
import { integerOf } from '../database/entities/table.js';
import { type CommandLog, withLog } from './command-log.js';
import { boundText, isRunning, isUnbounded, namesOf, spanText } from './command-options.js';
import { type CommandContext, CommandFailure, CommandUsageError, EXIT } from './command.js';
import { type LogFigures, readFigures } from './log-figures.js';
import type { TargetOptions } from './log-target.js';

/** The options of `nestjs-logout lower-bound`. */
export interface LowerBoundOptions extends TargetOptions {
  readonly maxStaleness?: number | undefined;
  readonly maxTokenLife?: number | undefined;
  /** Epoch ms. */
  readonly stoppedAt?: number | undefined;
  readonly wait?: boolean | undefined;
}

type Column = 'max_staleness' | 'max_token_life';

/** One of the two registered bounds that is to fall (ms). */
interface Lowering {
  readonly column: Column;
  readonly from: number;
  readonly to: number;
  /** What an instance has registered for it. */
  readonly of: (instance: SeenInstance) => number;
}

/** Clocks may run 1 % apart; so much longer is waited. */
const RATES = 1.02;

/**
 * `nestjs-logout lower-bound` (H4): lowers what the head has registered, once no instance with more has
 * been there for one old bound, or one old token life. Lowered earlier, receipts would promise too
 * much, and events would be purged while tokens that they end are still good.
 */
export async function lowerBound(
  context: CommandContext,
  options: LowerBoundOptions,
): Promise<number> {
  const wanted = wantedOf(options);
  return withLog(context, options, async (log) => {
    const head = await readFigures(log);
    const lowerings = loweringsOf(head, wanted);
    if (lowerings.length === 0) {
      context.output.print(['Nothing to lower: what is registered is not larger.'], {
        lowered: [],
      });
      return EXIT.ok;
    }
    refuseWhileRunning(await log.listInstances(), lowerings);
    await passOldBound(context, log, options, lowerings, head.now);
    const lowered = await log.database.transaction(() => lower(log, lowerings));
    context.output.print(
      lowered.map(
        ({ column, from, to }) => `${nameOf(column)}: ${boundText(from)} → ${boundText(to)}.`,
      ),
      {
        lowered: lowered.map(({ column, from, to }) => ({
          what: column,
          from: from / 1000,
          to: to / 1000,
        })),
      },
    );
    return EXIT.ok;
  });
}

type Wanted = Readonly<Record<Column, number | undefined>>;

function wantedOf({ maxStaleness, maxTokenLife }: LowerBoundOptions): Wanted {
  if (maxStaleness === undefined && maxTokenLife === undefined) {
    throw new CommandUsageError('Which one? Give --max-staleness, --max-token-life or both.');
  }
  return { max_staleness: maxStaleness, max_token_life: maxTokenLife };
}

function loweringsOf(head: LogFigures, wanted: Wanted): Lowering[] {
  const all = [
    {
      column: 'max_staleness',
      from: head.maxStaleness,
      of: ({ maxStaleness }: SeenInstance) => maxStaleness,
    },
    {
      column: 'max_token_life',
      from: head.maxTokenLife,
      of: ({ maxTokenLife }: SeenInstance) => maxTokenLife,
    },
  ] as const;
  return all.flatMap((each) => {
    const to = wanted[each.column];
    return to === undefined || to >= each.from ? [] : [{ ...each, to }];
  });
}

function refuseWhileRunning(
  instances: readonly SeenInstance[],
  lowerings: readonly Lowering[],
): void {
  for (const { column, to, of } of lowerings) {
    const larger = instances.filter((instance) => isRunning(instance) && of(instance) > to);
    if (larger.length === 0) continue;
    const largest = Math.max(...larger.map(of));
    throw new CommandFailure(
      `${nameOf(column)} cannot be lowered to ${boundText(to)}: instances that are running have registered up to ${boundText(largest)}: ${namesOf(larger)}.`,
      'Stop them, or start them again with the smaller setting, and run this command after that.',
      'An instance that ended without a word is taken for running for three minutes.',
    );
  }
}

/** @throws CommandFailure while the last instance with a larger setting may be gone for too short. */
async function passOldBound(
  context: CommandContext,
  log: CommandLog,
  { stoppedAt, wait }: LowerBoundOptions,
  lowerings: readonly Lowering[],
  now: number,
): Promise<void> {
  const old = Math.max(
    0,
    ...lowerings.map(({ from }) => from).filter((from) => !isUnbounded(from)),
  );
  if (wait === true && lowerings.some(({ from }) => isUnbounded(from))) {
    throw new CommandFailure(
      'There is no bound to be waited for: an instance without one may go on, cut off from the database and unseen.',
      'Make sure that it is stopped, and say when that was: --stopped-at 2026-01-31T12:00Z',
    );
  }
  if (wait === true) return passTime(context, log, old * RATES);
  if (stoppedAt === undefined) {
    throw new CommandFailure(
      `The last instance with the larger setting must have been gone for ${spanText(old)}: for so long its tokens, or what it knew, may still be good.`,
      `Say when it was stopped: --stopped-at ${new Date(now - old).toISOString()}`,
      `Or let this command wait for ${spanText(old)}: --wait`,
    );
  }
  const witnesses = (await log.listInstances()).filter(
    (instance) =>
      now - instance.seenAgo > stoppedAt && lowerings.some(({ to, of }) => of(instance) > to),
  );
  if (witnesses.length > 0) {
    throw new CommandFailure(`--stopped-at is too early: seen since then: ${namesOf(witnesses)}.`);
  }
  const from = stoppedAt + old * RATES;
  if (now >= from) return;
  throw new CommandFailure(
    `It is too early: wait until ${new Date(from).toISOString()} (by the database’s clock), one old setting after the last such instance was stopped.`,
  );
}

async function passTime({ output }: CommandContext, log: CommandLog, time: number): Promise<void> {
  const { clock } = log;
  const end = clock.monotonic() + time;
  await output.during(
    `Waiting for ${spanText(time)} …`,
    async (update) => {
      for (let left = time; left > 0; left = end - clock.monotonic()) {
        update(`Waiting for another ${spanText(left)} …`);
        const pause = Math.min(left, 1_000);
        await new Promise<void>((resolve) => void clock.schedule(pause, resolve, true));
      }
    },
    'One old setting has passed.',
  );
}

/** Under the head's lock, which an instance needs to register: what has come since is seen. */
function* lower(log: CommandLog, lowerings: readonly Lowering[]): Transaction<readonly Lowering[]> {
  const { dialect } = log.database;
  const { rows } = yield log.statements.lockHead();
  const { rows: instances } = yield log.instances.list();
  refuseWhileRunning(instances.map(instanceOf), lowerings);
  const still = lowerings.filter(({ column, to }) => integerOf(rows[0]?.[column]) > to);
  for (const { column, to } of still) {
    yield dialect.statement(
      `UPDATE ${dialect.table('auth_head')} SET ${column} = ?, ${column}_by = ? WHERE id = 1`,
      [to, `lower-bound on ${hostname()}`],
    );
  }
  return still;
}

function nameOf(column: Column): string {
  return column === 'max_staleness' ? 'The registered staleness' : 'The registered token life';
}
