import { describeViolation, type Violation } from './history/violation.js';
import { type Round, runFaults } from './fault-run.js';
import { runFleet } from './phones/fleet.js';

const USAGE = `npm run test:faults [-- --minutes 10] [-- --seed N] [-- --clients 120]

  --minutes  how long load and faults go on; default 10
  --seed     repeats the faults and the operations of the run that printed it
  --clients  how many clients there are at once; default 120
  --phones   instead of all this: phones that lose answers, and thieves with copies of their refresh
             tokens, in simulated time; default 10000 of them for three days`;

/** Violations of each promise that are printed in full, for each round. */
const SHOWN = 3;

/** Simulated. */
const PHONE_DAYS = 3;

const flags = process.argv.slice(2);
if (flags.includes('--help')) {
  console.log(USAGE);
} else if (flags.includes('--phones')) {
  await simulatePhones();
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

async function simulatePhones(): Promise<void> {
  const seed = numberAfter('--seed') ?? Math.floor(Math.random() * 2 ** 31);
  const given = flags[flags.indexOf('--phones') + 1];
  const phones = given === undefined || given.startsWith('--') ? 10_000 : Number(given);
  console.log(
    `seed ${seed}, ${phones} phones; again: npm run test:faults -- --phones ${phones} --seed ${seed}`,
  );
  const report = await runFleet({
    seed,
    phones,
    length: PHONE_DAYS * 86_400_000,
    onHour: (hour, { refreshes }) => console.log(`hour ${hour}: ${refreshes} refreshes`),
  });
  const { refreshes, lostAnswers, lateRetries, thefts, violations } = report;
  console.log(
    `${refreshes} refreshes, ${lostAnswers} answers lost, ${lateRetries} of them had later by their ` +
      `key, ${thefts} tokens stolen and used`,
  );
  for (const violation of violations.slice(0, 20)) console.log(violation);
  console.log(`${violations.length} violations (seed ${seed})`);
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
