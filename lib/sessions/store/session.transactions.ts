import type { AuthClock } from '../../context/auth-clock.js';
import {
  type AccountRow,
  accountOf,
  AccountStatements,
  unknownAccount,
} from '../../revocation/store/account.statements.js';
import type { RevocationReason } from '../../revocation/revocation-event.js';
import type { Dialect } from '../../revocation/store/dialect.js';
import { integerOf } from '../../revocation/store/log-rows.js';
import type { Transaction } from '../../revocation/store/statement.js';
import { endedBy } from '../../revocation/store/subject-marks.js';
import type { LoginOutcome, RefreshOutcome, ReuseClass } from './refresh-outcome.js';
import { type RefreshRow, refreshOf, type SessionRow, sessionOf } from './session-rows.js';
import { type SessionSighting, SessionStatements } from './session.statements.js';

/** A login that is about to be stored. */
export interface Beginning {
  readonly session: SessionRow;
  readonly refresh: RefreshRow | null;
  readonly issuerKey: string;
  /** How many sessions the account may have; by client type, or `'*'` for all together. */
  readonly limits: ReadonlyMap<string, number> | undefined;
}

/** A refresh that is about to be made. */
export interface Rotation {
  readonly digest: string;
  readonly sessionKey: string;
  readonly subjectKey: string;
  readonly issuerKey: string;
  /** The position that was read before the claims were asked for (G1). */
  readonly since: number;
  readonly successorDigest: string;
  /** The successor under the key of its predecessor; `null` without a grace. */
  readonly sealed: string | null;
  readonly grace: number;
  readonly retries: number;
  /** From now until the successor ends, were the session endless (ms). */
  readonly life: number;
  readonly sighting: Omit<SessionSighting, 'at' | 'idleUntil'>;
  /** Why the login is over, as far as this instance knows: the database may have lost it (H1). */
  readonly knownEnd: RevocationReason | undefined;
}

/** How a login is stored and a refresh token replaced; nothing is awaited inside. */
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

  /**
   * Replaces a refresh token, or finds out why not. Run again after a lost answer to COMMIT it finds
   * what it did and gives the same outcome; only a retry within the grace is counted once more.
   */
  *rotate(rotation: Rotation): Transaction<RefreshOutcome> {
    const { digest, sessionKey, subjectKey, issuerKey, since, successorDigest } = rotation;
    const { rows: locked } = yield this.statements.lockSession(sessionKey);
    const { rows: tokens } = yield this.statements.findRefresh([digest, successorDigest]);
    const refreshes = tokens.map(refreshOf);
    const presented = refreshes.find((row) => row.digest === digest);
    if (locked[0] === undefined || presented === undefined) return { kind: 'unknown' };
    const session = sessionOf(locked[0]);
    const { account, issuer, now } = yield* this.readAccounts(subjectKey, issuerKey);

    const refusal = refusalOf(account, now);
    if (refusal !== undefined) return { kind: refusal };
    const reason = endOf(session, account, issuer) ?? rotation.knownEnd;
    if (reason !== undefined) return { kind: 'ended', reason };
    if (now >= session.expiresAt) return { kind: 'expired' };
    const own = refreshes.find((row) => row.digest === successorDigest);
    if (own !== undefined) return { kind: 'refreshed', refresh: own };
    if (newestMark(account, issuer) > since) return { kind: 'superseded' };
    if (presented.replacedAt !== null) return yield* this.retry(rotation, session, presented, now);
    if (now >= presented.expiresAt) return { kind: 'expired' };

    const expiresAt = Math.min(now + rotation.life, session.expiresAt);
    const graceUntil = rotation.sealed === null ? null : now + rotation.grace;
    const { affected } = yield this.statements.replace(digest, rotation.sealed, now, graceUntil);
    if (affected !== 1) throw new Error('A refresh token was replaced under the session’s lock.');
    const refresh: RefreshRow = {
      digest: successorDigest,
      sessionKey,
      number: presented.number + 1,
      expiresAt,
      replacedAt: null,
      graceUntil: null,
      retries: 0,
      sealedSuccessor: null,
    };
    yield this.statements.insertRefresh(refresh);
    yield this.statements.see(sessionKey, { ...rotation.sighting, at: now, idleUntil: expiresAt });
    yield this.statements.forgetSuccessors(sessionKey, now);
    return { kind: 'refreshed', refresh };
  }

  /** RT-04, RT-06: within its grace a token gives the same successor again; after it, it is stolen. */
  private *retry(
    { digest, retries }: Rotation,
    session: SessionRow,
    presented: RefreshRow,
    now: number,
  ): Transaction<RefreshOutcome> {
    const { rows } = yield this.statements.successors(session.key, presented.number);
    const successors = rows.map(refreshOf);
    const next = successors.find(({ number }) => number === presented.number + 1);
    const { graceUntil, sealedSuccessor } = presented;
    const isInGrace = graceUntil !== null && now <= graceUntil && presented.retries < retries;
    if (!isInGrace || sealedSuccessor === null || next === undefined) {
      return { kind: 'reused', reuse: classOf(successors, presented) };
    }
    yield this.statements.countRetry(digest);
    return { kind: 'retried', refresh: next, sealed: sealedSuccessor };
  }

  /** Read in statements of their own, so after every lock that was waited for. */
  *readAccounts(
    subjectKey: string,
    issuerKey: string,
  ): Transaction<{ account: AccountRow; issuer: AccountRow; now: number }> {
    const { rows } = yield this.accounts.select([subjectKey, issuerKey]);
    const { rows: time } = yield this.statements.now();
    const found = rows.map(accountOf);
    const of = (key: string): AccountRow =>
      found.find((account) => account.key === key) ?? unknownAccount(key);
    return {
      account: of(subjectKey),
      issuer: of(issuerKey),
      now: this.clock.database(integerOf(time[0]?.['now'])),
    };
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

function newestMark({ marks }: AccountRow, issuer: AccountRow): number {
  return Math.max(marks.killsBelow, issuer.marks.killsBelow);
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

function classOf(successors: readonly RefreshRow[], presented: RefreshRow): ReuseClass {
  const newest = Math.max(...successors.map(({ number }) => number), presented.number);
  const steps = newest - presented.number;
  if (steps <= 1) return 'recent';
  return steps === 2 ? 'orphaned' : 'stale';
}
