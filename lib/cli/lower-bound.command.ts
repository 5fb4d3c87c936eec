import { hostname } from 'node:os';
import { instanceOf, type SeenInstance } from '../database/instance.statements.js';
import { headOf } from '../database/log.statements.js';
import type { LoweredBound } from '../database/operator.statements.js';
import type { Transaction } from '../database/statement.js';
import { type CommandLog, withLog } from './command-log.js';
import { boundText, isRunning, isUnbounded, namesOf, spanText } from './command-options.js';
import { type CommandContext, CommandFailure, CommandUsageError, EXIT } from './command.js';
import { readFigures } from './log-figures.js';
import type { TargetOptions } from './log-target.js';

/** The options of `nestjs-logout lower-bound`; lengths of time are milliseconds. */
interface LowerBoundOptions extends TargetOptions {
  readonly maxStaleness?: number | undefined;
  readonly maxTokenLife?: number | undefined;
  /** Epoch ms. */
  readonly stoppedAt?: number | undefined;
  readonly wait?: boolean | undefined;
}

/** A registered bound that is to be lowered (ms). */
interface Lowering {
  readonly bound: LoweredBound;
  readonly from: number;
  readonly to: number;
}

/** What people and programs call the two bounds. */
const NAMES = {
  maxStaleness: { text: 'The registered staleness', json: 'max_staleness' },
  maxTokenLife: { text: 'The registered token lifetime', json: 'max_token_life' },
} as const;

/** Clocks may run 1 % apart, so the wait is longer by this factor. */
const RATES = 1.02;

/**
 * `nestjs-logout lower-bound` (H4): lowers what the head has registered, once the last instance with more
 * has been gone for one old bound, or one old token lifetime. Lowered earlier, receipts would promise too
 * much, and events would be purged while tokens that they revoke have not expired.
 */
export async function lowerBound(
  context: CommandContext,
  options: LowerBoundOptions,
): Promise<number> {
  const { maxStaleness, maxTokenLife } = options;
  if (maxStaleness === undefined && maxTokenLife === undefined) {
    throw new CommandUsageError('Which one? Give --max-staleness, --max-token-life or both.');
  }
  return withLog(context, options, async (log) => {
    const head = await readFigures(log);
    const lowerings = (['maxStaleness', 'maxTokenLife'] as const).flatMap((bound) => {
      const { [bound]: to } = options;
      return to === undefined || to >= head[bound] ? [] : [{ bound, from: head[bound], to }];
    });
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
    return EXIT.ok;
  });
}

function refuseWhileRunning(
  instances: readonly SeenInstance[],
  lowerings: readonly Lowering[],
): void {
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
      'There is no bound to wait for: an instance without one may still run, cut off from the database and unseen.',
      'Make sure that it is stopped, and give the time: --stopped-at 2026-01-31T12:00Z',
    );
  }
  if (wait === true) return passTime(context, log, old * RATES);
  if (stoppedAt === undefined) {
    throw new CommandFailure(
      `The last instance with the larger setting must have been gone for ${spanText(old)}: until then its tokens, or its view of the log, may still be in use.`,
      `Give the time when it was stopped: --stopped-at ${new Date(now - old).toISOString()}`,
      `Or let this command wait for ${spanText(old)}: --wait`,
    );
  }
  const witnesses = (await log.listInstances()).filter(
    (instance) =>
      now - instance.seenAgo > stoppedAt && lowerings.some(({ bound, to }) => instance[bound] > to),
  );
  if (witnesses.length > 0) {
    throw new CommandFailure(`--stopped-at is too early: seen since then: ${namesOf(witnesses)}.`);
  }
  const from = stoppedAt + old * RATES;
  if (now >= from) return;
  throw new CommandFailure(
    `It is too early. Wait until ${new Date(from).toISOString()} (by the database’s clock), one old setting after the last such instance was stopped.`,
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

/** Runs under the head's lock, which an instance needs to register, so no new one is missed. */
function* lower(log: CommandLog, lowerings: readonly Lowering[]): Transaction<readonly Lowering[]> {
  const { rows } = yield log.statements.lockHead();
  const head = headOf(rows[0], log.clock);
  const { rows: instances } = yield log.instances.list();
  refuseWhileRunning(instances.map(instanceOf), lowerings);
  const still = lowerings.filter(({ bound, to }) => head[bound] > to);
  for (const { bound, to } of still) {
    yield log.operator.lowerBound(bound, to, `lower-bound on ${hostname()}`);
  }
  return still;
}
