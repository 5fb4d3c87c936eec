import { describeViolation, type Violation } from './history/violation.js';
import { type Round, runFaults } from './fault-run.js';

const USAGE = `npm run test:faults [-- --minutes 10] [-- --seed N] [-- --clients 120]

  --minutes  how long load and faults go on; default 10
  --seed     repeats the faults and the operations of the run that printed it
  --clients  how many clients there are at once; default 120`;

/** Violations of each promise that are printed in full, for each round. */
const SHOWN = 3;

const flags = process.argv.slice(2);
if (flags.includes('--help')) {
  console.log(USAGE);
} else {
  await main();
}

async function main(): Promise<void> {
  const seed = numberAfter('--seed') ?? Math.floor(Math.random() * 2 ** 31);
  const minutes = numberAfter('--minutes') ?? 10;
  console.log(`seed ${seed}, ${minutes} minutes; again: npm run test:faults -- --seed ${seed}`);
  const started = performance.now();
  const { operations, byKind, byAnswer, faults, violations } = await runFaults({
    seed,
    length: minutes * 60_000,
    clients: numberAfter('--clients') ?? 120,
    onRound: (round) => tell(round, started),
  });
  console.log(`\n${operations} operations: ${listOf(byKind)}`);
  console.log(`answers: ${listOf(byAnswer)}`);
  console.log(
    `${[...faults.values()].reduce((sum, each) => sum + each, 0)} faults: ${listOf(faults)}`,
  );
  console.log(`${violations.length} violations (seed ${seed})`);
  // The embedded PostgreSQL listens for the end of the process and would leave another code.
  process.exit(violations.length > 0 ? 1 : 0);
}

function tell(
  { number, operations, outcomes, faults, violations, history }: Round,
  from: number,
): void {
  const { ok, fail, unknown } = outcomes;
  const seconds = ((performance.now() - from) / 1000).toFixed(0);
  console.log(
    `${seconds.padStart(4)} s  round ${number}: ${operations} operations (${ok} ok, ${fail} refused, ` +
      `${unknown} unknown), faults: ${listOf(faults)}; ${violations.length} violations`,
  );
  for (const violation of shortestOf(violations)) {
    console.log(describeViolation(violation, history));
  }
}

/** Some of each promise, of different logins, the shortest histories first. */
function shortestOf(violations: readonly Violation[]): Violation[] {
  const shown = new Map<string, Map<string, Violation>>();
  for (const violation of violations.toSorted((a, b) => a.excerpt.length - b.excerpt.length)) {
    const { promise, excerpt } = violation;
    const ofPromise = shown.get(promise) ?? new Map<string, Violation>();
    shown.set(promise, ofPromise);
    const session = excerpt.at(-1)?.session ?? '';
    if (ofPromise.size < SHOWN && !ofPromise.has(session)) ofPromise.set(session, violation);
  }
  return [...shown.values()].flatMap((ofPromise) => [...ofPromise.values()]);
}

function listOf(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ') || 'none';
}

function numberAfter(flag: string): number | undefined {
  const index = flags.indexOf(flag);
  if (index < 0) return undefined;
  const value = Number(flags[index + 1]);
  if (Number.isFinite(value)) return value;
  console.error(USAGE);
  process.exit(2);
}
