import type { Dialect } from './dialect.js';
import { AuthHead } from './entities/auth-log.entity.js';
import { RevocationEvent } from './entities/revocation-event.entity.js';
import { lessThan, StatementRepository } from './statement-repository.js';
import type { Statement } from './statement.js';

/** The statements by which one instance at a time finds the events that can be deleted. */
export class PurgeStatements {
  private readonly head: StatementRepository<AuthHead>;
  private readonly event: StatementRepository<RevocationEvent>;

  constructor(private readonly dialect: Dialect) {
    this.head = new StatementRepository(dialect, AuthHead);
    this.event = new StatementRepository(dialect, RevocationEvent);
  }

  /** X1: expired, and it and its successor older than `cutoff`; the last event always stays. */
  findExpired(now: number, cutoff: number, limit: number): Statement {
    return this.dialect.statement(
      `SELECT ${this.dialect.text('e.position')} AS event_position FROM ${this.event.table} e ` +
        `WHERE e.keep_until < ? AND e.created_at < ? ` +
        `AND e.position < (SELECT h.position FROM ${this.head.table} h WHERE h.id = 1) ` +
        `AND NOT EXISTS (SELECT 1 FROM ${this.event.table} s WHERE s.position = e.position + 1 AND s.created_at >= ?) ` +
        `ORDER BY e.keep_until LIMIT ?`,
      [now, cutoff, cutoff, limit],
    );
  }

  /** The first events above `after`, with the time at which each was written. */
  listAges(after: number, limit: number): Statement {
    return this.dialect.statement(
      `SELECT ${this.dialect.text('e.position')} AS event_position, ` +
        `${this.dialect.text('e.created_at')} AS created_at FROM ${this.event.table} e ` +
        `WHERE e.position > ? ORDER BY e.position LIMIT ?`,
      [after, limit],
    );
  }

  /**
   * Events that one of those above `after` and up to `through` covers: the same key and kind, nothing
   * spared that the older one ends, and remembered for as long. What ends access tokens only covers
   * nothing else and is covered by nothing else: a reload looks for it in a place of its own (X3).
   */
  findCovered(after: number, through: number, limit: number): Statement {
    return this.dialect.statement(
      `SELECT DISTINCT ${this.dialect.text('e.position')} AS event_position FROM ${this.event.table} l ` +
        `JOIN ${this.event.table} e ON e.event_key = l.event_key AND e.kind = l.kind ` +
        `AND e.position < l.position AND e.access_only = l.access_only ` +
        `WHERE l.position > ? AND l.position <= ? AND l.kind IN ('subject', 'issuer', 'key') ` +
        `AND COALESCE(l.kills_below, 0) >= COALESCE(e.kills_below, 0) ` +
        `AND COALESCE(l.issued_before, 0) >= COALESCE(e.issued_before, 0) ` +
        `AND (l.keep_until IS NULL OR l.keep_until >= e.keep_until) ` +
        `AND (l.except_key IS NULL OR l.except_key = e.except_key) LIMIT ?`,
      [after, through, limit],
    );
  }

  /** X2: one instance at a time; the claim runs out by database time, should its holder crash. */
  claimPurge(now: number, until: number): Statement {
    return this.head.update(
      { id: true, purgeClaimedUntil: lessThan(now) },
      { purgeClaimedUntil: until },
    );
  }

  /** Prolongs the claim that ends at `until`, if no other instance has taken it since. */
  renewPurge(until: number, next: number): Statement {
    return this.head.update({ id: true, purgeClaimedUntil: until }, { purgeClaimedUntil: next });
  }

  /** Gives the claim back, if it is still the one that ends at `until`. */
  releasePurge(until: number): Statement {
    return this.renewPurge(until, 0);
  }
}
