import type { PurgedLog } from './purge-claim.js';
import { integerOf } from '../../database/log-rows.js';
import { PURGE_AGE } from './log.transactions.js';

/** Events that are looked at in one statement: as later ones, which may cover earlier ones. */
const PAGE = 1_000;

/**
 * Finds events that a later one of the same account, issuer or key covers: every token that the older
 * one ends the later one ends too, for as long. So acts that are repeated leave one row each account.
 *
 * The search goes by the later event, and only by one that is older than ten minutes: then every older
 * event of its key, and the successor of each, is as old (X1). Each event is looked at once, in order
 * of position; a run begins where the last one ended.
 */
export class CoveredEvents {
  /** Up to here every event was looked at, and what it covers is deleted. */
  private through = 0;

  /**
   * The next page of events that are old enough.
   *
   * @param now - The time by which may be forgotten (epoch ms).
   */
  async nextPage({ database, statements }: PurgedLog, now: number): Promise<CoveringPage> {
    const { rows } = await database.read(statements.listAges(this.through, PAGE));
    const young = rows.findIndex((row) => integerOf(row['created_at']) >= now - PURGE_AGE);
    const last = (young < 0 ? rows : rows.slice(0, young)).at(-1);
    const through = last === undefined ? this.through : integerOf(last['event_position']);
    return { after: this.through, through, isLast: young >= 0 || rows.length < PAGE };
  }

  /** At most `limit` positions that the events of a page cover; empty once all of them are deleted. */
  async find(
    { database, statements }: PurgedLog,
    { after, through }: CoveringPage,
    limit: number,
  ): Promise<number[]> {
    const { rows } = await database.read(statements.findCovered(after, through, limit));
    return rows.map((row) => integerOf(row['event_position']));
  }

  /** What the page covers is deleted. */
  finish({ through }: CoveringPage): void {
    this.through = through;
  }
}

/** Events above `after` and up to `through`, as the later ones of a search. */
export interface CoveringPage {
  readonly after: number;
  readonly through: number;
  readonly isLast: boolean;
}
