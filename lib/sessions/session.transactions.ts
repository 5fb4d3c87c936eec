import {
  accountOf,
  type AccountRow,
  AccountStatements,
  endedBy,
  unknownAccount,
} from '../database/account.statements.js';
import type { Dialect } from '../database/dialect.js';
import { integerOf } from '../database/entities/table.js';
import {
  type RefreshRow,
  sessionOf,
  type SessionPlace,
  type SessionRow,
  SessionStatements,
} from '../database/session.statements.js';
import type { Transaction } from '../database/statement.js';
import type { AuthClock } from '../platform/auth-clock.js';
import type { LoginOutcome } from './rotate.js';
import { type Judgement, SessionLimiter, type SessionLimits } from './session-limits.js';

/** Rows of a list that are read at a time, at least. */
const SMALLEST_READ = 50;

/** Rows that one page passes by or gives; after them the caller asks again. */
const MOST_READ = 2_000;

/** A login that is about to be stored. */
export interface Beginning {
  readonly session: SessionRow;
  readonly refresh: RefreshRow | null;
  readonly issuerKey: string;
  /** How many sessions the account may have; `undefined`: any number. */
  readonly limits: SessionLimits | undefined;
}

/** How a login is stored and listed; nothing is awaited inside. */
export class SessionTransactions {
  readonly statements: SessionStatements;
  readonly accounts: AccountStatements;

  constructor(
    private readonly dialect: Dialect,
    private readonly clock: AuthClock,
  ) {
    this.statements = new SessionStatements(dialect);
    this.accounts = new AccountStatements(dialect);
  }

  *begin({ session, refresh, issuerKey, limits }: Beginning): Transaction<LoginOutcome> {
    const limiter =
      limits === undefined ? undefined : new SessionLimiter(this.dialect, session, limits);
    let judgement = yield* this.readAccounts(session.subjectKey, issuerKey);
    const mayExceed = limiter !== undefined && !(yield* limiter.isFar(judgement));
    if (mayExceed) {
      // It locks the row also where there is one: two logins at once would not see each other.
      yield this.accounts.insertMissing([session.subjectKey]);
      judgement = yield* this.readAccounts(session.subjectKey, issuerKey);
    }
    const { account, issuer, now } = judgement;
    const refusal = refusalOf(account, now);
    if (refusal !== undefined) return { kind: refusal };
    // A mark above its position ends it from the start (G1): it is dead, and nothing of it is stored.
    if (!isAlive(session, account, issuer)) return { kind: 'dead' };
    yield this.statements.insertSession(session);
    if (refresh !== null) yield this.statements.insertRefresh(refresh);
    return { kind: 'begun', surplus: mayExceed ? yield* limiter.surplus(judgement) : [] };
  }

  /**
   * Logins of an account that go on, the newest first. Rows that are over and not yet deleted are passed
   * by, but not without a limit: `next` is there while there may be more, also after a short page.
   */
  *pageOpen(
    subjectKey: string,
    issuerKey: string,
    after: SessionPlace | undefined,
    limit: number,
  ): Transaction<{ readonly sessions: SessionRow[]; readonly next: SessionPlace | undefined }> {
    const { account, issuer, now } = yield* this.readAccounts(subjectKey, issuerKey);
    const sessions: SessionRow[] = [];
    let place = after;
    for (let read = 0; read < MOST_READ;) {
      const batch = Math.max(limit - sessions.length + 1, SMALLEST_READ);
      const { rows } = yield this.statements.pageOpen(subjectKey, place, batch);
      for (const session of rows.map(sessionOf)) {
        const goesOn = session.idleUntil > now && isAlive(session, account, issuer);
        if (goesOn && sessions.length === limit) return { sessions, next: place };
        if (goesOn) sessions.push(session);
        place = session;
      }
      if (rows.length < batch) return { sessions, next: undefined };
      read += rows.length;
    }
    return { sessions, next: place };
  }

  /** Whether a login of this account goes on; of any other there is no such session. */
  *isOpen(key: string, subjectKey: string, issuerKey: string): Transaction<boolean> {
    const { rows } = yield this.statements.findByKey(key);
    if (rows[0] === undefined) return false;
    const session = sessionOf(rows[0]);
    if (session.subjectKey !== subjectKey) return false;
    const { account, issuer, now } = yield* this.readAccounts(subjectKey, issuerKey);
    return session.idleUntil > now && isAlive(session, account, issuer);
  }

  /** Lets an account log in again. */
  *allow(subjectKey: string, what: 'lockedUntil' | 'disabledAt'): Transaction<void> {
    yield this.accounts.allow(subjectKey, what);
  }

  /** Deletes sessions by key, with all their refresh tokens. */
  *erase(keys: readonly string[]): Transaction<number> {
    const [sessions, tokens] = this.statements.erase(keys);
    const { affected } = yield sessions;
    yield tokens;
    return affected;
  }

  *forgetAccounts(keys: readonly string[], markedBefore: number, now: number): Transaction<number> {
    return (yield this.accounts.forget(keys, markedBefore, now)).affected;
  }

  *forgetTraces(what: 'graceUntil' | 'expiresAt', digests: readonly string[]): Transaction<number> {
    return (yield this.statements.forgetTraces(what, digests)).affected;
  }

  /** Read in statements of their own, so after every lock that was waited for. */
  *readAccounts(subjectKey: string, issuerKey: string): Transaction<Judgement> {
    const { rows } = yield this.accounts.select([subjectKey, issuerKey]);
    const now = yield* this.readNow();
    const found = rows.map(accountOf);
    const of = (key: string): AccountRow =>
      found.find((account) => account.key === key) ?? unknownAccount(key);
    return { account: of(subjectKey), issuer: of(issuerKey), now };
  }

  /** The database's time. */
  *readNow(): Transaction<number> {
    const { rows } = yield this.statements.now();
    return this.clock.database(integerOf(rows[0]?.['now']));
  }
}

/** Why an open session is over all the same, or `undefined`. */
export function endOf(
  session: SessionRow,
  account: AccountRow,
  issuer: AccountRow,
): ReturnType<typeof endedBy> {
  if (session.endedAt !== null) return session.endReason ?? 'unspecified';
  return endedBy(account, session.gen, session.key) ?? endedBy(issuer, session.gen, session.key);
}

function isAlive(session: SessionRow, account: AccountRow, issuer: AccountRow): boolean {
  return endOf(session, account, issuer) === undefined;
}

/** Whether the account may not log in. */
export function refusalOf(
  { lockedUntil, disabledAt }: AccountRow,
  now: number,
): 'locked' | 'disabled' | undefined {
  if (disabledAt !== null) return 'disabled';
  return lockedUntil !== null && now < lockedUntil ? 'locked' : undefined;
}
