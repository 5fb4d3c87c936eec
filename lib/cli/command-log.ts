import { Logger } from '@nestjs/common';
import { existsSync } from 'node:fs';
import {
  instanceOf,
  InstanceStatements,
  type SeenInstance,
} from '../database/instance.statements.js';
import { isRetryable, type LogDatabase, StorageFailure } from '../database/log-database.js';
import type { EventDraft } from '../revocation/log/event-draft.js';
import { type Head, headOf, type LogStatements } from '../database/log.statements.js';
import { OperatorStatements } from '../database/operator.statements.js';
import { openLogDatabase } from '../database/open-log-database.js';
import type { Row, Statement, Transaction } from '../database/statement.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { retried } from '../platform/async-calls.js';
import { AuthClock } from '../platform/auth-clock.js';
import { messageOf } from '../platform/log-text.js';
import { numbering } from '../revocation/log/log-history.js';
import type { Appended, LogTransactions } from '../revocation/log/log.transactions.js';
import { logOn, type OpenLog, openLogOn } from '../revocation/log/open-log.js';
import type { SessionRows } from '../sessions/session-sweep.js';
import { SessionTransactions } from '../sessions/session.transactions.js';
import { type CommandContext, CommandFailure, type CommandHost } from './command.js';
import { type LogTarget, optionsOf, readTarget, type TargetOptions } from './log-target.js';

/** For how long a command retries what the database refuses for the moment (ms). */
const PATIENCE = 15_000;

/** The log for a command: the statements and transactions of an instance, without its feed. */
export class CommandLog implements SessionRows {
  readonly database: LogDatabase;
  readonly statements: LogStatements;
  readonly transactions: LogTransactions;
  readonly instances: InstanceStatements;
  readonly operator: OperatorStatements;
  private readonly sessions: SessionTransactions;

  private constructor(
    private readonly log: OpenLog,
    readonly clock: AuthClock,
  ) {
    this.database = log.database;
    this.statements = log.statements;
    this.transactions = log.transactions;
    this.instances = new InstanceStatements(log.database.dialect);
    this.operator = new OperatorStatements(log.database.dialect);
    this.sessions = new SessionTransactions(log.database.dialect, clock);
  }

  /**
   * @param migrations - `none` looks at whatever there is.
   * @throws CommandFailure for missing tables, read-only servers, a database that cannot be reached, and
   * a log that a newer release writes.
   */
  static async open(
    target: LogTarget,
    clock = new AuthClock(),
    migrations: 'check' | 'run' | 'none' = 'check',
  ): Promise<CommandLog> {
    if (migrations !== 'run') refuseMissingFile(target);
    return new CommandLog(await openLog(target, clock, migrations), clock);
  }

  async head(): Promise<Head> {
    const [row] = await this.rows(this.statements.position());
    return headOf(row, this.clock);
  }

  async rows(statement: Statement): Promise<readonly Row[]> {
    return (await this.database.read(statement)).rows;
  }

  /** Every instance that has a row: the running ones, and those that crashed. */
  async listInstances(): Promise<SeenInstance[]> {
    return (await this.rows(this.instances.list())).map(instanceOf);
  }

  read(statement: (of: SessionTransactions) => Statement): Promise<readonly Row[]> {
    return this.rows(statement(this.sessions));
  }

  write<T>(body: (of: SessionTransactions) => Transaction<T>): Promise<T> {
    return this.retried(() => this.database.transaction(() => body(this.sessions)));
  }

  /**
   * Appends events as an instance does, and tries again with the same ids.
   *
   * @param isRetry - An earlier run may have committed them: look before writing.
   * @throws CommandFailure when it is not known whether they were written (W4): how to run it again.
   */
  async append(drafts: readonly EventDraft[], isRetry = false): Promise<Appended> {
    let isUnknown = isRetry;
    try {
      return await this.retried(async () => {
        try {
          return await numbering(this.log, () => this.transactions.append(drafts, isUnknown));
        } catch (error) {
          if (error instanceof StorageFailure && error.outcome === 'unknown') {
            isUnknown = true;
            for (const draft of drafts) draft.provenAbsent = false;
          } else if (drafts.every(({ provenAbsent }) => provenAbsent)) isUnknown = false;
          throw error;
        }
      });
    } catch (error) {
      if (!isUnknown) throw error;
      const [draft, ...others] = drafts;
      throw new CommandFailure(
        `It is not known whether this was written: the answer to COMMIT was lost (${messageOf(error)}).`,
        others.length === 0
          ? `Run the same command again with --id ${retryIdOf(draft as EventDraft)}; it is then written exactly once.`
          : 'Run the same command again; it continues with what is left.',
      );
    }
  }

  /** Starts a new history whatever the head shows, above every position there ever was (H3). */
  async startHistory(): Promise<Appended> {
    return this.retried(() => this.database.transaction(() => this.transactions.jump(() => true)));
  }

  async close(): Promise<void> {
    await this.database.close();
  }

  private retried<T>(attempt: () => Promise<T>): Promise<T> {
    return retried(attempt, PATIENCE, isRetryable);
  }
}

async function openLog(
  target: LogTarget,
  clock: AuthClock,
  migrations: 'check' | 'run' | 'none',
): Promise<OpenLog> {
  let database: LogDatabase | undefined;
  try {
    // Whoever runs a command has named the log that is meant.
    database = await openLogDatabase({ ...target, migrations, newLog: true });
    return migrations === 'none' ? logOn(database, clock, '') : await openLogOn(database, clock);
  } catch (error) {
    await database?.close();
    if (error instanceof AuthWiringError) {
      throw new CommandFailure(error.message, 'nestjs-logout doctor checks all of it.');
    }
    // Several addresses were tried, and each has an error of its own.
    const [first = error] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
    throw new CommandFailure(`The database cannot be used: ${messageOf(first)}`);
  }
}

/** SQLite would create an empty database for a typo in a path. */
function refuseMissingFile(target: LogTarget): void {
  const options = optionsOf(target);
  if (options.type !== 'better-sqlite3' || existsSync(String(options.database))) return;
  throw new CommandFailure(
    `There is no file ${String(options.database)}.`,
    'Give the path of the application’s database; a relative one counts from the current folder.',
    'nestjs-logout migrate creates it, with the tables.',
  );
}

/** The id of an event with the position that it was tried at, which a retry must keep (G3). */
function retryIdOf({ id, killsBelow, attemptedAt }: EventDraft): string {
  const position = killsBelow ?? attemptedAt;
  return position === null ? id : `${id}@${position}`;
}

/** @returns what {@link retryIdOf} wrote, or `undefined` for another text. */
export function parseRetryId(text: string): { id: string; killsBelow: number | null } | undefined {
  const match = /^([0-9a-f]{32})(?:@([0-9]{1,15}))?$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  return { id: match[1], killsBelow: match[2] === undefined ? null : Number(match[2]) };
}

/** Opens the log that the options name, for as long as `work` takes. */
export async function withLog<T>(
  { host }: CommandContext,
  options: TargetOptions,
  work: (log: CommandLog, target: LogTarget) => Promise<T>,
  migrations: 'check' | 'run' | 'none' = 'check',
): Promise<T> {
  logTo(host);
  const target = await readTarget(options, host.env);
  const log = await CommandLog.open(target, host.clock, migrations);
  try {
    return await work(log, target);
  } finally {
    await log.close();
  }
}

/** Sends what the library logs to stderr: Nest would print it on stdout, where results are. */
function logTo({ stderr }: CommandHost): void {
  const say = (message: unknown): void => void stderr.write(`${messageOf(message)}\n`);
  Logger.overrideLogger({ log: say, warn: say, error: say, fatal: say });
}
