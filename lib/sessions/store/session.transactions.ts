import type { AuthClock } from '../../context/auth-clock.js';
import {
  type AccountRow,
  accountOf,
  AccountStatements,
  unknownAccount,
} from '../../revocation/store/account.statements.js';
import type { Dialect } from '../../revocation/store/dialect.js';
import { integerOf } from '../../revocation/store/log-rows.js';
import type { Transaction } from '../../revocation/store/statement.js';
import { endedBy } from '../../revocation/store/subject-marks.js';
import type { LoginOutcome } from './refresh-outcome.js';
import { type RefreshRow, type SessionRow, sessionOf } from './session-rows.js';
import { SessionStatements } from './session.statements.js';

/** A login that is about to be stored. */
export interface Beginning {
  readonly session: SessionRow;
  readonly refresh: RefreshRow | null;
  readonly issuerKey: string;
  /** How many sessions the account may have; by client type, or `'*'` for all together. */
  readonly limits: ReadonlyMap<string, number> | undefined;
}

/** How a login is stored and listed; nothing is awaited inside. */
export class SessionTransactions {
  readonly statements: SessionStatements;
  readonly accounts: AccountStatements;

  constructor(
    dialect: Dialect,
    private readonly clock: AuthClock,
  ) {
    this.statements = new SessionStatements(dialect);
    this.accounts = new AccountStatements(dialect);
  }

  *begin({ session, refresh, issuerKey, limits }: Beginning): Transaction<LoginOutcome> {
    // Only a limit needs the lock: without it two logins at once would not see each other.
    if (limits !== undefined) {
      yield this.accounts.insertMissing([session.subjectKey]);
      yield this.accounts.lock([session.subjectKey]);
    }
    const { account, issuer, now } = yield* this.readAccounts(session.subjectKey, issuerKey);
    const refusal = refusalOf(account, now);
    if (refusal !== undefined) return { kind: refusal };
    // A mark above its position ends it from the start (G1): it is dead, and nothing of it is stored.
    if (!isAlive(session, account, issuer)) return { kind: 'dead' };
    yield this.statements.insertSession(session);
    if (refresh !== null) yield this.statements.insertRefresh(refresh);
    if (limits === undefined) return { kind: 'begun', surplus: [] };
    const { rows } = yield this.statements.listOpen(session.subjectKey, now);
    const open = rows.map(sessionOf).filter((each) => isAlive(each, account, issuer));
    return { kind: 'begun', surplus: surplusOf(session, open, limits) };
  }

  /** The logins of an account that go on. */
  *listOpen(subjectKey: string, issuerKey: string): Transaction<SessionRow[]> {
    const { account, issuer, now } = yield* this.readAccounts(subjectKey, issuerKey);
    const { rows } = yield this.statements.listOpen(subjectKey, now);
    return rows.map(sessionOf).filter((session) => isAlive(session, account, issuer));
  }

  /** Lets an account log in again. */
  *allow(subjectKey: string, what: 'locked_until' | 'disabled_at'): Transaction<void> {
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

  *forgetTraces(
    what: 'grace_until' | 'expires_at',
    digests: readonly string[],
  ): Transaction<number> {
    return (yield this.statements.forgetTraces(what, digests)).affected;
  }

  /** Read in statements of their own, so after every lock that was waited for. */
  *readAccounts(
    subjectKey: string,
    issuerKey: string,
  ): Transaction<{ account: AccountRow; issuer: AccountRow; now: number }> {
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
  return (
    endedBy(account.marks, session.gen, session.key) ??
    endedBy(issuer.marks, session.gen, session.key)
  );
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

/** The oldest logins beyond the limit; the one that begins is never among them. */
function surplusOf(
  begun: SessionRow,
  open: readonly SessionRow[],
  limits: ReadonlyMap<string, number>,
): SessionRow[] {
  const others = open.filter(({ key }) => key !== begun.key);
  const total = limits.get('*');
  const own = limits.get(begun.client ?? '');
  const ofClient = others.filter(({ client }) => client === begun.client);
  const surplus = new Set([
    ...(total === undefined ? [] : others.slice(total - 1)),
    ...(own === undefined ? [] : ofClient.slice(own - 1)),
  ]);
  return [...surplus];
}
