import { AuthClock } from 'nestjs-logout';
import type { TestDatabase } from './databases.js';
import {
  newEventId,
  type LogDatabase,
  type EventDraft,
  openLogDatabase,
  EventKeys,
  jump,
  type Appended,
  type LogTransactions,
  logOn,
  type OpenLog,
  openLogOn,
} from './internals.js';

const keys = new EventKeys('https://issuer.test');

/** The event of one session, without a position. */
export function sessionEnd(sid: string): EventDraft {
  return {
    id: newEventId(Date.now()),
    kind: 'session',
    key: keys.hex('session', keys.ownIssuer, sid),
    except: null,
    accessOnly: false,
    expiresAt: null,
    life: null,
    skew: 0,
    reason: 'logout',
    actor: null,
    killsBelow: null,
    attemptedAt: null,
    provenAbsent: false,
  };
}

/** A bare writer of the log: its own connections and the statements of W1. */
export class LogWriter {
  readonly database: LogDatabase;
  readonly transactions: LogTransactions;

  private constructor(readonly log: OpenLog) {
    this.database = log.database;
    this.transactions = log.transactions;
  }

  static async on({ options }: TestDatabase): Promise<LogWriter> {
    const database = await openLogDatabase({
      source: options,
      schema: undefined,
      migrations: 'run',
    });
    const { id } = await openLogOn(database, new AuthClock());
    // As one of several running instances: the first of one finds no witness, and makes the log
    // jump (H3).
    const log = logOn(database, new AuthClock(), id);
    await jump(log); // as a load would, on SQLite
    return new LogWriter(log);
  }

  /** One transaction, without a retry. */
  append(drafts: readonly EventDraft[], lookUp = false): Promise<Appended> {
    return this.database.transaction(() => this.transactions.append(drafts, lookUp));
  }

  /** The same in one statement; `undefined` if it did nothing. */
  appendAtOnce(drafts: readonly EventDraft[]): Promise<Appended | undefined> {
    return this.log.appendAtOnce?.run(this.database, drafts) ?? Promise.resolve(undefined);
  }

  close(): Promise<void> {
    return this.database.close();
  }
}
