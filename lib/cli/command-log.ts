import { Logger } from '@nestjs/common';
import { existsSync } from 'node:fs';
import { AccountStatements } from '../database/account.statements.js';
import {
  instanceOf,
  InstanceStatements,
  type SeenInstance,
} from '../database/instance.statements.js';
import { isRetryable, type LogDatabase } from '../database/log-database.js';
import { type Head, headOf, type LogStatements } from '../database/log.statements.js';
import {
  type Counted,
  figuresOf,
  type LogFigures,
  OperatorStatements,
} from '../database/operator.statements.js';
import { type LogPlace, openLogDatabase } from '../database/open-log-database.js';
import { SessionStatements } from '../database/session.statements.js';
import { integerOf } from '../database/entities/table.js';
import type { Row, Statement, Transaction } from '../database/statement.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { optionsOf } from '../options/data-source-option.js';
import type { TokenIdentity } from '../options/token-claims.js';
import { retried } from '../platform/async-calls.js';
import { AuthClock } from '../platform/auth-clock.js';
import { messageOf } from '../platform/log-text.js';
import type { EventKeys } from '../revocation/index/event-key.js';
import type { EventDraft } from '../revocation/log/event-draft.js';
import { appendRetried } from '../revocation/log/append.js';
import { isInDoubt } from '../revocation/log/log-history.js';
import type { Appended, LogTransactions } from '../revocation/log/log.transactions.js';
import { logOn, type OpenLog, openLogOn } from '../revocation/log/open-log.js';
import { endingsOf, type TokenEnding } from '../revocation/log/token-endings.js';
import type { SessionRows, SessionTables } from '../sessions/session-sweep.js';
import { CommandFailure, type CommandHost, type CommandOutput, spanText } from './command.js';
import { readTarget, type TargetOptions } from './log-target.js';

/**
 * How long a command retries temporary errors of the database (ms). It is longer than in an
 * instance, because no request waits.
 */
const PATIENCE = 15_000;

/**
 * An instance whose row was not renewed for this time counts as gone (ms). Instances renew their
 * rows once a minute.
 */
const SEEN_WITHIN = 180_000;

/**
 * The context of a command: the process around it, its output, and the log that its options select.
 */
export class CommandContext {
  private log: CommandLog | undefined;

  constructor(
    readonly host: CommandHost,
    readonly output: CommandOutput,
    private readonly options: TargetOptions,
  ) {}

  /**
   * Opens the log. {@link close} closes it when the command has ended.
   *
   * @param migrations - `check` requires all tables, `run` creates missing ones, `none` accepts
   * whatever exists, also the tables of another release.
   * @throws CommandFailure for missing tables, a read-only server, a database that cannot be
   * reached, or a log that a newer release writes.
   * @throws CommandUsageError if no database is given.
   */
  async open(migrations: 'check' | 'run' | 'none' = 'check'): Promise<CommandLog> {
    logTo(this.host);
    const target = await readTarget(this.options, this.host.env);
    if (migrations !== 'run') refuseMissingFile(target);
    const clock = this.host.clock ?? new AuthClock();
    return (this.log = new CommandLog(await openLog(target, clock, migrations), clock, target));
  }

  async close(): Promise<void> {
    await this.log?.database.close();
  }
}

/**
 * The log for a command: the statements and transactions of an instance, without its feed. A
 * command never registers as an instance, so it does not change the bounds of receipts.
 */
export class CommandLog implements SessionRows {
  readonly database: LogDatabase;
  readonly statements: LogStatements;
  readonly transactions: LogTransactions;
  readonly operator: OperatorStatements;
  private readonly instances: InstanceStatements;
  private readonly sessions: SessionTables;

  constructor(
    private readonly log: OpenLog,
    readonly clock: AuthClock,
    readonly target: LogPlace,
  ) {
    this.database = log.database;
    this.statements = log.statements;
    this.transactions = log.transactions;
    this.operator = new OperatorStatements(log.database.dialect);
    this.instances = new InstanceStatements(log.database.dialect);
    this.sessions = {
      statements: new SessionStatements(log.database.dialect),
      accounts: new AccountStatements(log.database.dialect),
    };
  }

  /** Runs one statement and returns its rows. */
  async rows(statement: Statement): Promise<readonly Row[]> {
    return (await this.database.read(statement)).rows;
  }

  /**
   * The head, the database's time, and how much this host's clock is ahead of it (ms).
   *
   * @throws LostRow if the log is damaged.
   */
  async figures(): Promise<LogFigures & { readonly clockAhead: number }> {
    // The database read its clock at some moment between these two, so their average is the best
    // estimate.
    const before = this.clock.wall();
    const [row] = await this.rows(this.operator.figures());
    const after = this.clock.wall();
    if (row === undefined) throw new LostRow();
    const figures = figuresOf(row);
    return { ...figures, clockAhead: Math.round((before + after) / 2 - figures.now) };
  }

  /**
   * The number of rows of a table (of sessions only the open ones), or `undefined` if counting
   * takes too long.
   */
  async count(table: Counted): Promise<number | undefined> {
    try {
      const [row] = await this.rows(this.operator.count(table));
      return integerOf(row?.['n']);
    } catch (error) {
      // A read is aborted after 2.5 s, so that counting a large table does not hold a connection.
      if (this.database.dialect.failure(error) === 'connection') return undefined;
      throw error;
    }
  }

  /** The events that revoke a token, found with the code of an instance. */
  endingsOf(keys: EventKeys, identity: TokenIdentity, kid: string | null): Promise<TokenEnding[]> {
    return endingsOf(this.log, keys, identity, kid);
  }

  /** All instances with a row: the running ones, and those that crashed. */
  async listInstances(): Promise<SeenInstance[]> {
    return (await this.rows(this.instances.list())).map(instanceOf);
  }

  /**
   * Changes the head under its lock. An instance needs that lock to register, so no instance can
   * start unnoticed between reading the instances and the change.
   */
  underHeadLock<T>(
    body: (instances: readonly SeenInstance[], head: Head) => Transaction<T>,
  ): Promise<T> {
    const { database, statements, instances, clock } = this;
    return database.transaction(function* () {
      const { rows } = yield statements.lockHead();
      const head = headOf(rows[0], clock);
      const seen = yield instances.list();
      return yield* body(seen.rows.map(instanceOf), head);
    });
  }

  read(statement: (of: SessionTables) => Statement): Promise<readonly Row[]> {
    return this.rows(statement(this.sessions));
  }

  write<T>(body: (of: SessionTables) => Transaction<T>): Promise<T> {
    return this.retried(() => this.database.transaction(() => body(this.sessions)));
  }

  /**
   * Appends events as an instance does, and retries with the same ids.
   *
   * @param isRetry - Whether an earlier run may have committed them. Then it looks for them before
   * it writes.
   * @throws CommandFailure if it is not known whether they were written (W4). It says how to run
   * the command again.
   */
  async append(drafts: readonly EventDraft[], isRetry = false): Promise<Appended> {
    try {
      return await appendRetried(this.log, drafts, PATIENCE, isRetry);
    } catch (error) {
      if (!isInDoubt(error)) throw error;
      const [draft, ...others] = drafts;
      throw new CommandFailure(
        `It is not known whether this was written, because the answer to COMMIT was lost (${messageOf(error)}).`,
        others.length === 0
          ? `Run the same command again with --id ${retryIdOf(draft as EventDraft)} added. It is then written exactly once.`
          : 'Run the same command again. It continues with the remaining sessions.',
      );
    }
  }

  /**
   * Starts a new history, whatever the head shows, above every position that was ever used (H3).
   */
  startHistory(): Promise<Appended> {
    return this.retried(() => this.database.transaction(() => this.transactions.jump(() => true)));
  }

  private retried<T>(attempt: () => Promise<T>): Promise<T> {
    return retried(attempt, PATIENCE, isRetryable);
  }
}

/** The log is damaged. `nestjs-logout doctor` says what to do. */
export class LostRow extends CommandFailure {
  constructor() {
    super('auth_log or auth_head has lost its row.');
  }
}

/** Opens the log, and turns errors of the library into messages for operators. */
async function openLog(
  target: LogPlace,
  clock: AuthClock,
  migrations: 'check' | 'run' | 'none',
): Promise<OpenLog> {
  let database: LogDatabase | undefined;
  try {
    // newLog: the operator has selected the log, so another log in the same database is no mistake.
    database = await openLogDatabase({ ...target, migrations, newLog: true });
    return migrations === 'none' ? logOn(database, clock, '') : await openLogOn(database, clock);
  } catch (error) {
    await database?.close();
    if (error instanceof AuthWiringError) {
      throw new CommandFailure(error.message, 'Run nestjs-logout doctor to check everything.');
    }
    // If several addresses were tried, each has an error of its own. The first one is shown.
    const [first = error] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
    throw new CommandFailure(`The database cannot be used: ${messageOf(first)}`);
  }
}

/**
 * Refuses a missing SQLite file, because SQLite would create an empty database for a misspelled
 * path.
 */
function refuseMissingFile(target: LogPlace): void {
  const options = optionsOf(target.source);
  if (options.type !== 'better-sqlite3' || existsSync(String(options.database))) return;
  throw new CommandFailure(
    `There is no file ${String(options.database)}.`,
    'Use the path of the application’s database. A relative path starts at the current folder.',
    'nestjs-logout migrate creates it, with the tables.',
  );
}

/**
 * Sends the log lines of the library to stderr. Nest would print them on stdout, which must only
 * have results.
 */
function logTo({ stderr }: CommandHost): void {
  const say = (message: unknown): void => void stderr.write(`${messageOf(message)}\n`);
  Logger.overrideLogger({ log: say, warn: say, error: say, fatal: say });
}

/**
 * The id of an event and the position of the first attempt, which a retry must keep as its
 * watermark. Otherwise it would also revoke logins that came in between (G3).
 */
function retryIdOf({ id, killsBelow, attemptedAt }: EventDraft): string {
  const position = killsBelow ?? attemptedAt;
  return position === null ? id : `${id}@${position}`;
}

/** Parses the result of {@link retryIdOf}; `undefined` for any other text. */
export function parseRetryId(text: string): { id: string; killsBelow: number | null } | undefined {
  const match = /^([0-9a-f]{32})(?:@([0-9]{1,15}))?$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  return { id: match[1], killsBelow: match[2] === undefined ? null : Number(match[2]) };
}

/**
 * Whether an instance is running, judging by its row. A crashed instance counts as running for
 * three minutes.
 */
export function isRunning({ seenAgo }: SeenInstance): boolean {
  return seenAgo < SEEN_WITHIN;
}

/** `host:pid (seen 20 s ago), …` */
export function namesOf(instances: readonly SeenInstance[]): string {
  return instances
    .map(({ label, seenAgo }) => `${label} (seen ${spanText(seenAgo)} ago)`)
    .join(', ');
}
