import { setTimeout } from 'node:timers/promises';
import { FaultCluster, type Member } from './cluster/fault-cluster.js';
import { FaultInjector } from './cluster/fault-injector.js';
import { planFaults } from './cluster/fault-plan.js';
import { checkHistory } from './history/check-history.js';
import { HistoryRecorder } from './history/history-recorder.js';
import type { History, Operation, Outcome } from './history/operation.js';
import type { Violation } from './history/violation.js';
import { completionOf } from './load/caller.js';
import { FaultClient, type Grave } from './load/fault-client.js';
import { INSTANCES, planScenario } from './load/scenario.js';
import { Random } from './random.js';
import { mintToken } from '../support/mint-token.js';

/** The options of a run. */
export interface FaultRunSettings {
  readonly seed: number;
  /** Milliseconds of load; the last round is completed. */
  readonly length: number;
  /** Clients at once. Default: 120. */
  readonly clients?: number;
  /** Called after each round. */
  readonly onRound?: (round: Round) => void;
}

/** One stretch of load and faults, judged separately. */
export interface Round {
  readonly number: number;
  readonly operations: number;
  readonly outcomes: Readonly<Record<Outcome, number>>;
  readonly faults: ReadonlyMap<string, number>;
  readonly violations: readonly Violation[];
  readonly history: History;
}

/** The result of a run. */
export interface FaultRunResult {
  readonly operations: number;
  readonly byKind: ReadonlyMap<string, number>;
  /** How they ended, by outcome or the code of the refusal. */
  readonly byAnswer: ReadonlyMap<string, number>;
  readonly faults: ReadonlyMap<string, number>;
  readonly violations: readonly Violation[];
}

/** Seconds; what it promises in milliseconds is {@link BOUND}. */
const MAX_STALENESS = 2;
const BOUND = MAX_STALENESS * 1_000;
/** Seconds: short, so that some presentations come after it. */
const REFRESH_GRACE = 2;
/** A round's faults and load (ms); operations in flight at its end are completed. */
const ROUND = 25_000;
/** How long an instance may take to be fresh after the last fault (ms). */
const RECOVERY = 60_000;
/** Logins that are remembered for later rounds. */
const GRAVES = 200;

/**
 * Three instances under faults and load, round after round; each round's history is checked when its
 * faults are over and every instance has shown that it is not stuck.
 *
 * Faults and scenarios follow from the seed, the round and the client alone; when things happen does not.
 */
export async function runFaults(settings: FaultRunSettings): Promise<FaultRunResult> {
  const { seed, length, clients = 120, onRound } = settings;
  let history = new HistoryRecorder();
  const cluster = await FaultCluster.start(history, {
    maxStaleness: MAX_STALENESS,
    refreshGrace: REFRESH_GRACE,
    clocks: (instance) => {
      const random = new Random(seed, 'clock', instance);
      return Array.from({ length: 8 }, () => random.between(-20_000, 20_000));
    },
  });
  const faults = new Map<string, number>();
  const byKind = new Map<string, number>();
  const byAnswer = new Map<string, number>();
  const violations: Violation[] = [];
  let graves: Grave[] = [];
  let operations = 0;
  const start = performance.now();
  try {
    for (let number = 1; performance.now() - start < length; number++) {
      const left = start + length - performance.now();
      const roundLength = Math.min(ROUND, Math.max(5_000, left));
      const kept = operationsOf(graves, history);
      history = history.next(kept);
      const injector = new FaultInjector(cluster, () => history);
      const end = performance.now() + roundLength;
      const plays = Array.from({ length: clients }, (_, client) =>
        playUntil(end, cluster, history, new Random(seed, 'client', number, client), graves),
      );
      await injector.run(planFaults(seed, number, roundLength, BOUND));
      graves = [...(await Promise.all(plays)).flat(), ...graves].slice(0, GRAVES);
      await Promise.all(cluster.members.map((member) => settle(member, history, graves[0])));
      for (const member of cluster.members) {
        // A process that stopped by itself is a violation, and need not be one in all later rounds.
        if (member.process.ending !== undefined) await cluster.restart(member, () => history);
      }

      const found = checkHistory(history, { bound: BOUND, refreshGrace: REFRESH_GRACE * 1_000 });
      const done = history.operations.slice(kept.length);
      for (const [kind, count] of injector.counts) add(faults, kind, count);
      for (const { kind, outcome, code } of done) {
        add(byKind, kind, 1);
        add(byAnswer, code ?? outcome, 1);
      }
      operations += done.length;
      violations.push(...found);
      const outcomes = countOutcomes(done);
      const told = { faults: injector.counts, violations: found, history };
      onRound?.({ number, operations: done.length, outcomes, ...told });
    }
  } finally {
    await cluster.stop();
  }
  return { operations, byKind, byAnswer, faults, violations };
}

/** One client: scenario after scenario, and sometimes a check of what was ended rounds ago. */
async function playUntil(
  end: number,
  cluster: FaultCluster,
  history: HistoryRecorder,
  random: Random,
  old: readonly Grave[],
): Promise<Grave[]> {
  const client = new FaultClient(cluster, history, random);
  const graves: Grave[] = [];
  // Not all at once: the first wave would never end.
  await setTimeout(random.between(0, BOUND * 2));
  while (performance.now() < end) {
    const scenario = planScenario(random, BOUND);
    const looks = Array.from({ length: INSTANCES }, () => random.between(0, GRAVES - 1));
    const grave = await client.play(scenario);
    // Of its own account: no other account's acts need to be remembered with it.
    const isOwn = scenario.account === 'minted';
    if (grave !== undefined && isOwn && graves.length < 3) graves.push(grave);
    for (const [on, index] of looks.entries()) {
      const held = old[index];
      if (held !== undefined) await client.look(held, on);
    }
  }
  return graves;
}

/** Not stuck: whatever happened, it soon accepts a valid token, and refuses a revoked one. */
async function settle(
  member: Member,
  history: HistoryRecorder,
  grave: Grave | undefined,
): Promise<void> {
  const { incarnation, caller, name, process } = member;
  const good = mintToken({ sub: `settle-${name}-${performance.now()}` });
  const deadline = performance.now() + RECOVERY;
  const session = `settle-${name}`;
  await history.record({ kind: 'settle', incarnation, subject: '', session }, async () => {
    let last = 'nothing answered';
    while (performance.now() < deadline) {
      if (process.ending !== undefined) return { outcome: 'fail', code: process.ending };
      try {
        const answer = await caller.send('GET', '/me', good);
        const { outcome, code } = completionOf(answer, 200);
        const other = grave && (await caller.send('GET', '/me', grave.accessToken));
        if (outcome === 'ok' && (other === undefined || other.status === 401)) return { outcome };
        last = code ?? `an ended token got ${other?.status}`;
      } catch (error) {
        last = String(error);
      }
      await setTimeout(100);
    }
    return { outcome: 'fail', code: last };
  });
}

/** What later rounds must know of these logins. */
function operationsOf(graves: readonly Grave[], { operations }: History): Operation[] {
  const subjects = new Set(graves.map(({ subject }) => subject));
  return operations.filter(({ kind, subject }) => kind !== 'me' && subjects.has(subject));
}

function countOutcomes(operations: readonly Operation[]): Record<Outcome, number> {
  const counts = { ok: 0, fail: 0, unknown: 0 };
  for (const { outcome } of operations) counts[outcome]++;
  return counts;
}

function add(counts: Map<string, number>, key: string, more: number): void {
  counts.set(key, (counts.get(key) ?? 0) + more);
}
