import { AuthHead } from './entities/auth-log.entity.js';
import { RevocationEvent } from './entities/revocation-event.entity.js';
import { Statements } from './statement-repository.js';
import type { Statement } from './statement.js';

/** The statements of the purge, which one instance at a time runs to find events that can be deleted. */
export class PurgeStatements extends Statements {
  private readonly head = this.table(AuthHead);
  private readonly event = this.table(RevocationEvent);

  /**
   * Finds expired events. An event is deleted only if it and its successor are older than `cutoff` (X1), and
   * never if it is the last one. Raw SQL, because it also reads the head and the successor.
   */
  readonly findExpired = this.prepare<[now: number, cutoff: number, limit: number]>(
    `SELECT ${this.event.select('e', ['position'])} FROM ${this.event.table} e ` +
      `WHERE e.keep_until < ?1 AND e.created_at < ?2 ` +
      `AND e.position < (SELECT h.position FROM ${this.head.table} h WHERE h.id = 1) ` +
      `AND NOT EXISTS (SELECT 1 FROM ${this.event.table} s WHERE s.position = e.position + 1 AND s.created_at >= ?2) ` +
      `ORDER BY e.keep_until LIMIT ?3`,
  );

  /** The first events above a position, with the time at which each was written. */
  readonly listAges = this.event.findSome(['position >'], {
    only: ['position', 'createdAt'],
    orderBy: 'position',
  });

  /**
   * Finds events that a newer event makes redundant. The newer event is above `after` and up to `through`,
   * has the same key and kind, revokes everything that the older one revokes, and is kept at least as long.
   * Events that revoke only access tokens are compared only with each other, because the index keeps them
   * apart (X3).
   *
   * Raw SQL, because it joins the table with itself.
   */
  readonly findCovered = this.prepare<[after: number, through: number, limit: number]>(
    `SELECT DISTINCT ${this.event.select('e', ['position'])} FROM ${this.event.table} l ` +
      `JOIN ${this.event.table} e ON e.event_key = l.event_key AND e.kind = l.kind ` +
      `AND e.position < l.position AND e.access_only = l.access_only ` +
      `WHERE l.position > ? AND l.position <= ? AND l.kind IN ('subject', 'issuer', 'key') ` +
      `AND COALESCE(l.kills_below, 0) >= COALESCE(e.kills_below, 0) ` +
      `AND COALESCE(l.issued_before, 0) >= COALESCE(e.issued_before, 0) ` +
      `AND (l.keep_until IS NULL OR l.keep_until >= e.keep_until) ` +
      `AND (l.except_key IS NULL OR l.except_key = e.except_key) LIMIT ?`,
  );

  private readonly claim = this.head.update(
    ['id = 1', 'purgeClaimedUntil <'],
    ['purgeClaimedUntil'],
  );
  private readonly renew = this.head.update(['id = 1', 'purgeClaimedUntil'], ['purgeClaimedUntil']);

  /** Claims the purge for this instance (X2). If the instance crashes, the claim expires by database time. */
  claimPurge(now: number, until: number): Statement {
    return this.claim(now, { purgeClaimedUntil: until });
  }

  /** Extends the claim until `next`, unless another instance has taken it since. With 0 it is released. */
  renewPurge(until: number, next: number): Statement {
    return this.renew(until, { purgeClaimedUntil: next });
  }
}
