import { Inject, Injectable, Logger } from '@nestjs/common';
import { setImmediate } from 'node:timers/promises';
import { integerOf } from '../../database/entities/table.js';
import { headOf } from '../../database/log.statements.js';
import { PurgeStatements } from '../../database/purge.statements.js';
import type { Statement } from '../../database/statement.js';
import { AuthMeter } from '../../events/auth-meter.service.js';
import { SharedCall } from '../../platform/async-calls.js';
import { AuthClock, type CancelSchedule } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import { ClockCheck } from './clock-check.service.js';
import { LogConnection } from './log-connection.service.js';
import type { OpenLog } from './open-log.js';

/** The injection token of the sweeps that run after the purge of events, on one instance at a time. */
export const PURGE_SWEEPS = Symbol('nestjs-logout:purge-sweeps');

/** The average time between two purges (ms). */
const INTERVAL = 60_000;

/**
 * Deletes events whose tokens have all expired, about once a minute, and renews the heartbeat of this instance.
 * It uses the earlier of the host's and the database's clock, and deletes nothing while they differ by more
 * than a minute: a wrong clock must not delete the revocations of valid tokens (T2).
 *
 * Specified in docs/protocol.md, "Purging".
 */
@Injectable()
export class RevocationPurge {
  private readonly logger = new Logger('RevocationPurge');
  private readonly covered = { through: 0 };
  private cancel: CancelSchedule | undefined;
  private readonly rounds = new SharedCall(() => this.look());
  private stopped = false;

  constructor(
    private readonly connection: LogConnection,
    private readonly clock: AuthClock,
    private readonly meter: AuthMeter,
    private readonly clocks: ClockCheck,
    @Inject(PURGE_SWEEPS) private readonly sweeps: readonly PurgeSweep[],
  ) {}

  /** Schedules the next purge after 45 to 75 s. The time is random, so that instances take turns. */
  start(): void {
    if (this.stopped) return;
    const wait = INTERVAL * (0.75 + Math.random() * 0.5);
    this.cancel = this.clock.schedule(wait, () => void this.rounds.join());
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel?.();
    await this.rounds.idle();
  }

  /**
   * Purges what has expired, in small transactions, unless another instance is purging or the clocks differ.
   *
   * @returns the number of deleted rows.
   */
  async purge(): Promise<number> {
    const log = await this.connection.open();
    const { outcome, deleted } = await purgeLog(log, this.clock, {
      sweeps: this.sweeps,
      covered: this.covered,
      isStopped: () => this.stopped,
      forgettingTime: (databaseNow) => this.clocks.forgettingTime(databaseNow),
      onDeleted: (count, of) => (this.meter.purgedRows[of] += count),
    });
    this.meter.purges[outcome]++;
    return deleted;
  }

  /** Renews the heartbeat of this instance, and deletes the rows of instances that stopped. */
  async renewPresence(): Promise<void> {
    const { database, instance } = await this.connection.open();
    await database.transaction(() => instance.renew());
    await database.transaction(() => instance.forgetOthers());
  }

  private async look(): Promise<void> {
    try {
      await this.renewPresence();
      await this.purge();
    } catch (error) {
      this.meter.purges.failed++;
      this.logger.warn(`Expired revocations were not purged: ${messageOf(error)}`);
    }
    this.start();
  }
}

/** The parts of the log that a purge needs, and the statements that only a purge has. */
interface PurgedLog extends Pick<OpenLog, 'database' | 'statements' | 'transactions'> {
  readonly purge: PurgeStatements;
}

/** How long a claim keeps other instances from purging (ms), also if its instance crashed. */
const CLAIM = 30_000;

/** A row is only purged if it and its successor are older than this (ms), see X1. */
export const PURGE_AGE = 600_000;

/**
 * The most rows that one transaction deletes: few enough that a concurrent logout does not notice
 * the head lock.
 */
const RANGE = 500;

/** The most events that one statement compares with earlier ones. */
const PAGE = 1_000;

/**
 * Purges one kind of rows.
 *
 * @param now - Rows that expired before this time are deleted (epoch ms).
 * @param isStopped - Whether to stop before the next transaction.
 * @param onDeleted - Called after each transaction with its number of rows; it renews the claim.
 */
export type PurgeSweep = (
  now: number,
  isStopped: () => boolean,
  onDeleted: (count: number) => Promise<void>,
) => Promise<void>;

/** The position up to which a process has searched the log for covered events. */
export interface CoverSearch {
  through: number;
}

/** The parameters of {@link purgeLog}. */
export interface PurgeRun {
  /** What is purged after the events. */
  readonly sweeps: readonly PurgeSweep[];
  readonly isStopped: () => boolean;
  readonly covered: CoverSearch;
  /**
   * Returns the time up to which rows may be deleted, given the database's time; `undefined` if none may be
   * (T2).
   */
  readonly forgettingTime: (databaseNow: number) => number | undefined;
  /** Called with the number of rows that each transaction deleted. */
  readonly onDeleted?: (count: number, of: 'log' | 'sessions') => void;
}

/** The result of a purge. */
export interface Purged {
  /** `elsewhere`: another instance purges. `clocks`: host and database differ by more than a minute. */
  readonly outcome: 'done' | 'elsewhere' | 'clocks';
  /** The number of deleted rows. */
  readonly deleted: number;
}

/** Deletes expired and covered events in small transactions, unless another instance does so (X1, X2). */
export async function purgeLog(
  opened: Omit<PurgedLog, 'purge'>,
  clock: AuthClock,
  { sweeps, isStopped, covered, forgettingTime, onDeleted }: PurgeRun,
): Promise<Purged> {
  const log = { ...opened, purge: new PurgeStatements(opened.database.dialect) };
  const databaseNow = await readTime(log, clock);
  const now = forgettingTime(databaseNow);
  if (now === undefined) return { outcome: 'clocks', deleted: 0 };
  const claim = await takeClaim(log, clock, databaseNow);
  if (claim === undefined) return { outcome: 'elsewhere', deleted: 0 };
  let deleted = 0;
  let isLost = false;
  const isOver = (): boolean => isLost || isStopped();
  const after = (of: 'log' | 'sessions') => async (count: number) => {
    deleted += count;
    onDeleted?.(count, of);
    // If another instance has taken the claim, this run stops, so that two do not purge at once.
    isLost = !(await claim.renew());
  };
  try {
    await sweepExpired(log, now, isOver, after('log'));
    await sweepCovered(log, covered, now, isOver, after('log'));
    for (const sweep of sweeps) if (!isOver()) await sweep(now, isOver, after('sessions'));
  } finally {
    await claim.release();
  }
  return { outcome: 'done', deleted };
}

async function sweepExpired(
  log: PurgedLog,
  ...[now, isStopped, onDeleted]: Parameters<PurgeSweep>
): Promise<void> {
  const statement = log.purge.findExpired(now, now - PURGE_AGE, RANGE);
  for (let found = RANGE; found === RANGE && !isStopped();) {
    const positions = await findPositions(log, statement);
    found = positions.length;
    if (found === 0) break;
    await onDeleted(await purge(log, positions));
    await setImmediate();
  }
}

/**
 * Deletes events that are covered by a later event of the same account, issuer or key, which revokes the same
 * tokens for at least as long. So repeated acts on an account leave one row.
 *
 * It only considers later events that are older than ten minutes. Then every earlier event of the same key, and
 * the successor of each, is at least as old (X1). Each event is visited once, in order of position.
 */
async function sweepCovered(
  log: PurgedLog,
  search: CoverSearch,
  ...[now, isStopped, onDeleted]: Parameters<PurgeSweep>
): Promise<void> {
  while (!isStopped()) {
    const { rows } = await log.database.read(log.purge.listAges(search.through, PAGE));
    const young = rows.findIndex((row) => integerOf(row['created_at']) >= now - PURGE_AGE);
    const last = (young < 0 ? rows : rows.slice(0, young)).at(-1);
    const through = last === undefined ? search.through : integerOf(last['event_position']);
    const statement = log.purge.findCovered(search.through, through, RANGE);
    const positions = await findPositions(log, statement);
    if (positions.length > 0) {
      await onDeleted(await purge(log, positions));
    } else {
      search.through = through;
      if (young >= 0 || rows.length < PAGE) break;
      await onDeleted(0); // renews the claim: the first search reads the whole log
    }
    await setImmediate();
  }
}

/**
 * Deletes the rows that were chosen without a lock, and raises `purged_through` in the same transaction (X2).
 * Otherwise a feed would take the missing rows for a lost history.
 */
function purge(
  { database, statements, transactions }: PurgedLog,
  positions: readonly number[],
): Promise<number> {
  return database.transaction(function* () {
    yield* transactions.lockHead();
    const { affected } = yield statements.deleteEvents(positions);
    yield statements.raisePurgedThrough(Math.max(...positions));
    return affected;
  });
}

async function findPositions(log: PurgedLog, statement: Statement): Promise<number[]> {
  const { rows } = await log.database.read(statement);
  return rows.map((row) => integerOf(row['event_position']));
}

async function readTime(log: PurgedLog, clock: AuthClock): Promise<number> {
  const { rows } = await log.database.read(log.statements.position());
  return headOf(rows[0], clock).now;
}

/** The right to purge, which one instance has at a time. */
interface PurgeClaim {
  /** Extends the claim. `false` if another instance has taken it. */
  renew(): Promise<boolean>;
  release(): Promise<boolean>;
}

/**
 * @param now - The database's time (epoch ms).
 * @returns the claim, or `undefined` while another instance has it.
 */
async function takeClaim(
  log: PurgedLog,
  clock: AuthClock,
  now: number,
): Promise<PurgeClaim | undefined> {
  let until = now + CLAIM;
  const isTaken = await isRowChanged(log, log.purge.claimPurge(now, until));
  if (!isTaken) return undefined;
  const taken = clock.monotonic();
  const move = async (next: number): Promise<boolean> => {
    const isKept = await isRowChanged(log, log.purge.renewPurge(until, next));
    if (isKept) until = next;
    return isKept;
  };
  return {
    async renew() {
      const next = Math.round(now + (clock.monotonic() - taken)) + CLAIM;
      return next === until || move(next);
    },
    release: () => move(0),
  };
}

function isRowChanged({ database }: PurgedLog, statement: Statement): Promise<boolean> {
  return database.transaction(function* () {
    const { affected } = yield statement;
    return affected === 1;
  });
}
