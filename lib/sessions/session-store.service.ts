import { Injectable, Logger } from '@nestjs/common';
import {
  AccountStatements,
  endedBy,
  type Judgement,
  judgementOf,
} from '../database/account.statements.js';
import { type AllOrNothing, AtOnceStatements } from '../database/at-once.statements.js';
import type { Dialect } from '../database/dialect.js';
import type { RevocationReason } from '../database/entities/revocation-event.entity.js';
import { isRetryable } from '../database/log-database.js';
import {
  presentedOf,
  type PresentedToken,
  type SessionRow,
  SessionStatements,
} from '../database/session.statements.js';
import type { Row, Statement, Transaction } from '../database/statement.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { retried } from '../platform/async-calls.js';
import { AuthClock } from '../platform/auth-clock.js';
import { messageOf } from '../platform/log-text.js';
import { networkOf } from '../platform/client-address.js';
import { EventKeys } from '../revocation/index/event-key.js';
import { LogConnection, unavailable } from '../revocation/log/log-connection.service.js';
import { type LogPosition, LogPositions } from '../revocation/log/log-positions.service.js';
import type { ClientContext } from './login-context.js';

/** How long one call is retried before it fails (ms). */
const PATIENCE = 5_000;

const FAILED = unavailable('The session could not be stored or read. Try again.');

/** The most refreshes of a session within the lifetime of one access token. A client needs one (S7). */
const MOST_ROTATIONS = 20;

/** After the single statement failed or was not allowed, several statements are used for this long (ms). */
const PAUSE = 10_000;

/**
 * A refresh token as it was looked up, and the position of the log at that moment, if it can be used (G1).
 */
export interface LookedUpToken extends PresentedToken {
  readonly since: LogPosition | undefined;
}

/** Statements that write only if what was read before still holds, and the outcome in that case. */
export interface WriteAtOnce<T> extends AllOrNothing {
  /** The name of the prepared statement, for {@link AtOnceStatements.asOne}. */
  readonly name: string;
  readonly outcome: T;
}

/** A write that can work without reading first. */
export interface SessionWrite<T> {
  /** The full transaction, which decides by what it reads under its locks. */
  readonly steps: (of: StoredSessions) => Transaction<T>;
  /** The short form; `undefined` if what was read before is not sufficient for it. */
  readonly atOnce: (of: StoredSessions) => WriteAtOnce<T> | undefined;
}

/**
 * The statements of transactions on sessions. Transactions must not await anything: SQLite runs each in one
 * tick.
 */
export class StoredSessions {
  readonly statements: SessionStatements;
  readonly accounts: AccountStatements;
  readonly once: AtOnceStatements;

  /**
   * @param issuerKey - The key of the row of our issuer among the accounts. It has the cut-off of all users.
   */
  constructor(
    readonly dialect: Dialect,
    private readonly clock: AuthClock,
    readonly issuerKey: string,
  ) {
    this.statements = new SessionStatements(dialect);
    this.accounts = new AccountStatements(dialect);
    this.once = new AtOnceStatements(dialect);
  }

  /** The time of a test clock, which replaces the database's time; `null` with the real clock. */
  testTime(): number | null {
    const time = this.clock.database(NaN);
    return Number.isNaN(time) ? null : time;
  }

  /**
   * Reads the cut-offs and locks of an account. It is a statement of its own, so it sees what was committed
   * while this transaction waited for a lock.
   */
  *judge(subjectKey: string): Transaction<Judgement> {
    const { rows } = yield this.statements.judge(subjectKey, this.issuerKey);
    return judgementOf(rows[0], this.clock);
  }

  /**
   * Looks up a refresh token with everything needed to decide about it. After a lock, it sees what was
   * committed during the wait.
   */
  *present(digest: string): Transaction<PresentedToken | undefined> {
    const { rows } = yield this.findPresented([digest]);
    return rows[0] && presentedOf(rows[0], this.clock);
  }

  findPresented(digests: readonly string[]): Statement {
    return this.statements.findPresented(this.issuerKey, MOST_ROTATIONS, digests);
  }
}

/** Why a session was revoked, by its row or a cut-off of its account or issuer; `undefined` if it was not. */
export function endOf(
  { endedAt, endReason, gen, key }: SessionRow,
  { account, issuer }: Judgement,
): RevocationReason | undefined {
  if (endedAt !== null) return endReason ?? 'unspecified';
  return endedBy(account, gen, key) ?? endedBy(issuer, gen, key);
}

/** Whether a session can still be refreshed. */
export function isOpen(session: SessionRow, judgement: Judgement): boolean {
  return session.idleUntil > judgement.now && endOf(session, judgement) === undefined;
}

/**
 * How long an access token of a session is valid (ms), at most the option `accessTokenTtl` of this instance.
 */
export function accessTtlOf(
  { accessTtl }: Pick<SessionRow, 'accessTtl'>,
  { accessTokenTtl }: Pick<ResolvedAuthOptions, 'accessTokenTtl'>,
): number {
  return Math.min(accessTtl ?? accessTokenTtl, accessTokenTtl);
}

/** Why the account may not log in, or `undefined`. */
export function refusalOf({
  account: { lockedUntil, disabledAt },
  now,
}: Judgement): 'locked' | 'disabled' | undefined {
  if (disabledAt !== null) return 'disabled';
  return lockedUntil !== null && now < lockedUntil ? 'locked' : undefined;
}

/**
 * Reads and writes sessions, refresh tokens and accounts on the connections of the log. So a login never
 * waits for a connection of the application's pool, and is never part of a transaction of the application.
 */
@Injectable()
export class SessionStore {
  private readonly logger = new Logger('SessionService');
  private stored: StoredSessions | undefined;
  private pausedUntil = -Infinity;

  constructor(
    private readonly connection: LogConnection,
    private readonly clock: AuthClock,
    private readonly keys: EventKeys,
    private readonly meter: AuthMeter,
    private readonly positions: LogPositions,
  ) {}

  /**
   * Runs one statement on the primary.
   *
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  read(statement: (of: StoredSessions) => Statement): Promise<readonly Row[]> {
    const rows = async (): Promise<readonly Row[]> => {
      const { database } = await this.connection.open();
      return (await database.read(statement(this.of(database.dialect)))).rows;
    };
    return rows().catch(FAILED).catch(this.meter.refused);
  }

  /**
   * Looks up refresh tokens in one statement on the primary. A failure is not counted here, because several
   * callers share it.
   *
   * @returns the tokens that exist, by their digests.
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  async present(digests: readonly string[]): Promise<ReadonlyMap<string, LookedUpToken>> {
    const log = await this.connection.open().catch(FAILED);
    const { seen } = log.history;
    const statement = this.of(log.database.dialect).findPresented(digests);
    const { rows } = await log.database.read(statement).catch(FAILED);
    const found = rows.map((row) => presentedOf(row, this.clock));
    return new Map(
      found.map((token) => {
        const since = this.positions.accept(log, token.read, seen);
        return [token.refresh.digest, { ...token, since }];
      }),
    );
  }

  /**
   * Runs one transaction, and retries it after a conflict or a lost connection. It also runs again after a
   * lost answer to COMMIT, so the body must recognise its own work.
   *
   * @throws AuthUnavailableException `storage_unavailable` if it failed, or if the outcome is not known.
   */
  write<T>(body: (of: StoredSessions) => Transaction<T>): Promise<T> {
    const written = retried(() => this.writeOnce(body), PATIENCE, isRetryable);
    return written.catch(FAILED).catch(this.meter.refused);
  }

  /**
   * Writes without reading first. If that wrote nothing, it continues as {@link write}, which finds out why,
   * and whether an attempt without an answer was committed.
   *
   * @throws AuthUnavailableException as {@link write}.
   */
  async writeAtOnce<T>({ steps, atOnce }: SessionWrite<T>): Promise<T> {
    const { stored } = this;
    const write = stored && atOnce(stored);
    if (stored === undefined || write === undefined) return this.write(steps);
    const tried = this.tryAtOnce(write, stored.once);
    const isDone = await tried.catch(FAILED).catch(this.meter.refused);
    return isDone ? write.outcome : this.write(steps);
  }

  /** Whether everything was written. If not, {@link write} can still be called. */
  private async tryAtOnce(write: WriteAtOnce<unknown>, once: AtOnceStatements): Promise<boolean> {
    const { database } = await this.connection.open();
    const { oneStatement } = database.dialect;
    try {
      if (oneStatement === undefined || this.clock.monotonic() < this.pausedUntil) {
        return await database.transaction(() => once.inSteps(write));
      }
      const statement = once.asOne(oneStatement, write.name, write);
      const [row] = (await database.transactionOf?.(statement))?.rows ?? [];
      if (row?.['allowed'] === '1') return row['changed'] === '1';
    } catch (error) {
      if (!isRetryable(error)) throw error;
      this.logger.debug(
        `The one-statement write was not possible, so the session is written in several statements: ${messageOf(error)}`,
      );
    }
    this.pausedUntil = this.clock.monotonic() + PAUSE;
    return false;
  }

  /** Runs one statement once and ignores a failure, for writes that are not essential. */
  async attempt(statement: (of: StoredSessions) => Statement): Promise<void> {
    try {
      await this.writeOnce(function* (of) {
        yield statement(of);
      });
    } catch {
      // The next call that needs the database reports the error.
    }
  }

  private async writeOnce<T>(body: (of: StoredSessions) => Transaction<T>): Promise<T> {
    const { database } = await this.connection.open();
    return database.transaction(() => body(this.of(database.dialect)));
  }

  private of(dialect: Dialect): StoredSessions {
    // Cached, because building the statements takes time. A new connection may have another dialect.
    if (this.stored?.dialect !== dialect) {
      const issuerKey = this.keys.hex('issuer', this.keys.ownIssuer, '');
      this.stored = new StoredSessions(dialect, this.clock, issuerKey);
    }
    return this.stored;
  }
}

const LONGEST = 255;

/** The columns about a client; `null` for what it did not pass. */
export function storedClientOf({
  client,
  device,
  ip,
  userAgent,
}: ClientContext): Pick<SessionRow, 'client' | 'device' | 'ip' | 'userAgent'> {
  return {
    client: cut(client),
    device: cut(device),
    // The last part of the address is removed, because it identifies one household.
    ip: ip === undefined ? null : networkOf(ip, 3, 3),
    userAgent: cut(userAgent),
  };
}

/** Text from a client as it can be stored: truncated, well-formed, without NUL. `null` if nothing is left. */
export function cut(text: string | undefined): string | null {
  if (text === undefined) return null;
  // A surrogate pair that was cut in half is replaced, because databases reject it.
  const clean = text.replaceAll('\0', '').toWellFormed();
  return clean === '' ? null : clean.slice(0, LONGEST).toWellFormed();
}
