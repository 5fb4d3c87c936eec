import type { AccountStatements } from '../../database/account.statements.js';
import type { LogEvent } from '../../database/entities/revocation-event.entity.js';
import { integerOf } from '../../database/entities/table.js';
import type { EventDraft } from './event-draft.js';
import {
  eventOf,
  type Head,
  type LogStatements,
  NOT_ENDED,
} from '../../database/log.statements.js';
import type { Transaction } from '../../database/statement.js';
import { keepUntil, RETENTION_MARGIN } from './retention.js';

/**
 * What ended a token or session before: an event of the log, an earlier draft of the same batch, or
 * `undefined` for an event that was purged, because every token that it ended has expired.
 */
export type EarlierEnd = LogEvent | EventDraft | undefined;

/** What the database shows of the tokens and sessions that are to be ended. */
export interface EarlierEnds {
  readonly events: readonly { readonly event: LogEvent; readonly writtenAt: number }[];
  /** By the key of the session (epoch ms). */
  readonly endedAt: ReadonlyMap<string, number>;
}

/**
 * Finds the ends of tokens and sessions that had ended before: they write nothing, however often they
 * are repeated. Only the database is asked. An index may remember what the database lost, and what is
 * pending or in doubt.
 *
 * An act on an account, an issuer or a key is never a repetition: a login that read its position after
 * the first one and is still comparing the password must be ended by the second.
 */
export class RepeatedEnds {
  constructor(
    private readonly log: LogStatements,
    private readonly accounts: AccountStatements,
  ) {}

  /**
   * Reads before the head is locked, so that no other writer waits for it. Ends of one session wait for
   * each other at its row; of two ends of a token that has no row, at the same moment, both are written.
   *
   * @param sessions - The keys of sessions among which some had ended before, or have no row. Their rows are
   * locked, and none of them may go on.
   * @param tokens - The keys of all tokens that are to be ended.
   */
  *look(sessions: readonly string[], tokens: readonly string[]): Transaction<EarlierEnds> {
    const { rows } = yield this.log.findEnds([...new Set([...tokens, ...sessions])]);
    const events = rows.map((row) => ({
      event: eventOf(row),
      writtenAt: integerOf(row['created_at']),
    }));
    const endedAt = new Map<string, number>();
    if (sessions.length > 0) {
      const ended = yield this.accounts.findEnded([...new Set(sessions)]);
      for (const { session_key: key, ended_at: time } of ended.rows) {
        // A trigger left it out, without an error: the session would go on once its event is purged.
        if (time === null) throw new Error(NOT_ENDED);
        endedAt.set(key ?? '', integerOf(time));
      }
    }
    return { events, endedAt };
  }

  /**
   * Which drafts repeat an end, by what the database showed and by the head under its lock.
   *
   * @param earliest - The earlier of the clocks: what was purged is judged by it, as the purge does.
   */
  judge(
    head: Head,
    earliest: number,
    drafts: readonly EventDraft[],
    { events, endedAt }: EarlierEnds,
  ): ReadonlyMap<EventDraft, EarlierEnd> {
    const found = new Map<EventDraft, EarlierEnd>();
    const first = new Map<string, EventDraft>();
    for (const draft of drafts) {
      if (draft.kind !== 'token' && draft.kind !== 'session') continue;
      const earlier = first.get(draft.key);
      const known = events.find(
        ({ event, writtenAt }) =>
          event.key === draft.key &&
          // One that has expired counts nowhere any more.
          (event.until ?? 0) >= head.now &&
          covers(event.until, draft, { ...head, now: writtenAt }),
      );
      if (known !== undefined) found.set(draft, known.event);
      else if (wasPurged(endedAt.get(draft.key), draft, head, earliest))
        found.set(draft, undefined);
      else if (earlier === undefined) first.set(draft.key, draft);
      else if (covers(keepUntil(earlier, head, head.now), draft, head)) found.set(draft, earlier);
    }
    return found;
  }
}

/** Its row ended so long ago that its event may have been purged: so have its tokens expired. */
function wasPurged(
  endedAt: number | undefined,
  draft: EventDraft,
  head: Head,
  earliest: number,
): boolean {
  const life = Math.max(head.maxTokenLife, draft.life ?? 0);
  return endedAt !== undefined && endedAt < earliest - life - RETENTION_MARGIN;
}

/**
 * Whether an event is kept as long as one that was written at the same time by today's settings: a
 * longer token life, or a later `exp`, needs an event of its own.
 */
function covers(
  until: number | null,
  draft: EventDraft,
  then: Pick<Head, 'now' | 'maxTokenLife'>,
): boolean {
  const needed = keepUntil(draft, then, then.now);
  return until === null || (needed !== null && until >= needed);
}
