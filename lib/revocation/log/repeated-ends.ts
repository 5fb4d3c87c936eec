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
 * What revoked a token or session before: an event of the log, an earlier draft of the same batch,
 * or `undefined` for an event that was purged, because every token that it revoked has expired.
 */
export type EarlierEnd = LogEvent | EventDraft | undefined;

/** What the database shows about the tokens and sessions that are to be revoked. */
export interface EarlierEnds {
  readonly events: readonly { readonly event: LogEvent; readonly writtenAt: number }[];
  /** When each session ended (epoch ms), by its key. */
  readonly endedAt: ReadonlyMap<string, number>;
}

/**
 * Finds tokens and sessions that were revoked before. Revoking them again writes nothing, so a
 * client that repeats its logout cannot fill the log. It asks the database and not the index: the
 * index may still have events that the database has lost, and events that are pending or in doubt.
 *
 * Revoking an account, an issuer or a key is never a repetition. A login may have read its position
 * after the first event and still be comparing the password: the second event must revoke it.
 */
export class RepeatedEnds {
  constructor(
    private readonly log: LogStatements,
    private readonly accounts: AccountStatements,
  ) {}

  /**
   * Reads before the head is locked, so that no other writer waits for these reads. Two logouts of
   * one session wait for each other at its row. A token without a session has no row, so two
   * simultaneous logouts of it both write an event, which does no harm.
   *
   * @param sessions - The keys of sessions of which some had ended before, or have no row. Their
   * rows are locked, and each that exists must be ended by now.
   * @param tokens - The keys of all tokens that are to be revoked.
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
        // A trigger suppressed the update without an error. The session could be refreshed again
        // once its event is purged.
        if (time === null) throw new Error(NOT_ENDED);
        endedAt.set(key ?? '', integerOf(time));
      }
    }
    return { events, endedAt };
  }

  /**
   * Decides which drafts are repetitions, from what the database showed and the head under its
   * lock.
   *
   * @param earliest - The earlier of the two clocks (epoch ms), which the purge uses too.
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
          // An expired event no longer revokes anything.
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

/**
 * Whether the session ended so long ago that its event may have been purged. Then its tokens have
 * expired too.
 */
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
 * Whether an event is kept long enough. If the token lifetime was raised since, or the token has a
 * later `exp`, a new event with a later expiry is needed.
 */
function covers(
  until: number | null,
  draft: EventDraft,
  then: Pick<Head, 'now' | 'maxTokenLife'>,
): boolean {
  const needed = keepUntil(draft, then, then.now);
  return until === null || (needed !== null && until >= needed);
}
