import { AuthHead } from './entities/auth-log.entity.js';
import { RevocationEvent } from './entities/revocation-event.entity.js';
import { Statements } from './statement-repository.js';
import type { Statement } from './statement.js';

/** The statements by which one instance at a time finds the events that can be deleted. */
export class PurgeStatements extends Statements {
  private readonly head = this.table(AuthHead);
  private readonly event = this.table(RevocationEvent);

  /**
   * X1: expired, and it and its successor older than `cutoff`; the last event always stays. Raw: it looks
   * at the head and at the successor.
   */
  readonly findExpired = this.prepare<[now: number, cutoff: number, limit: number]>(
    `SELECT ${this.event.select('e', ['position'])} FROM ${this.event.table} e ` +
      `WHERE e.keep_until < ?1 AND e.created_at < ?2 ` +
      `AND e.position < (SELECT h.position FROM ${this.head.table} h WHERE h.id = 1) ` +
      `AND NOT EXISTS (SELECT 1 FROM ${this.event.table} s WHERE s.position = e.position + 1 AND s.created_at >= ?2) ` +
      `ORDER BY e.keep_until LIMIT ?3`,
  );

  /** The first events above `after`, with the time at which each was written. */
  readonly listAges = this.event.findSome(['position >'], {
    only: ['position', 'createdAt'],
    orderBy: 'position',
  });

  /**
   * Events that one of those above `after` and up to `through` covers: the same key and kind, nothing
   * spared that the older one ends, and remembered for as long. What ends access tokens only covers
   * nothing else and is covered by nothing else: a reload looks for it in a place of its own (X3).
   *
   * Raw: it joins the events with themselves.
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

  /** X2: one instance at a time; the claim expires by database time, should its holder crash. */
  claimPurge(now: number, until: number): Statement {
    return this.claim(now, { purgeClaimedUntil: until });
  }

  /** Prolongs the claim that ends at `until`, if no other instance has taken it since; 0 gives it back. */
  renewPurge(until: number, next: number): Statement {
    return this.renew(until, { purgeClaimedUntil: next });
  }
}
