import type { Dialect } from '../database/dialect.js';
import type { Judgement } from '../database/account.statements.js';
import { sharingALimit } from '../database/session-limit.statement.js';
import type { SessionRow } from '../database/session.statements.js';
import type { Statement, Transaction } from '../database/statement.js';

/** The name of the limit that unlisted and absent client names share. */
export const SHARED_LIMIT = '*';

/** Sessions that one login ends at most; the next login continues. */
export const MOST_ENDED = 20;

/** Rows that one search skips at most beside those that count: expired ones, and those before a cut-off. */
const MOST_PASSED = 1_000;

/** How many sessions an account may have, by client name; `'*'` is always among them. */
export type SessionLimits = ReadonlyMap<string, number>;

/** Finds the sessions that share a limit with a new one, and those beyond the limit. */
export class SessionLimiter {
  private readonly limit: number;
  private readonly group: { readonly only: string | null; readonly listed: readonly string[] };
  private readonly most: number;

  constructor(
    private readonly dialect: Dialect,
    private readonly session: SessionRow,
    limits: SessionLimits,
  ) {
    const { client } = session;
    const isListed = client !== null && client !== SHARED_LIMIT && limits.has(client);
    this.limit = limits.get(isListed ? client : SHARED_LIMIT) ?? Infinity;
    this.group = {
      only: isListed ? client : null,
      listed: [...limits.keys()].filter((name) => name !== SHARED_LIMIT),
    };
    this.most = [...limits.values()].reduce((sum, limit) => sum + limit, MOST_PASSED);
  }

  /**
   * With fewer sessions none has to end, even if some logins at the same moment do not see each other.
   * Otherwise the account has to be locked first.
   */
  get near(): number {
    return Math.max(0, this.limit - MOST_ENDED);
  }

  /** Whether fewer sessions than that share the limit. */
  *isFar(judgement: Judgement): Transaction<boolean> {
    const { near } = this;
    return near > 0 && (yield this.find(judgement, 'DESC', near - 1, 1)).rows.length === 0;
  }

  /** The ids of those beyond the limit: the oldest, {@link MOST_ENDED} at most, never the new one. */
  *surplus(judgement: Judgement): Transaction<string[]> {
    const { rows: beyond } = yield this.find(judgement, 'DESC', this.limit - 1, MOST_ENDED);
    if (beyond.length < MOST_ENDED) return sidsOf(beyond);
    const { rows: oldest } = yield this.find(judgement, 'ASC', 0, MOST_ENDED);
    // More have ended than one search skips: these are not the oldest, but beyond the limit too.
    return sidsOf(oldest.length === MOST_ENDED ? oldest : beyond);
  }

  private find(
    judgement: Judgement,
    order: 'ASC' | 'DESC',
    skipped: number,
    count: number,
  ): Statement {
    const page = { order, passed: this.most, skipped, count };
    return sharingALimit(this.dialect, this.session, this.group, judgement, page);
  }
}

function sidsOf(rows: readonly Readonly<Record<string, string | null>>[]): string[] {
  return rows.map(({ sid }) => sid ?? '');
}
