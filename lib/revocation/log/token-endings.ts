import {
  isKnownKind,
  RevocationEvent,
  type RevocationKind,
  type RevocationReason,
} from '../../database/entities/revocation-event.entity.js';
import { reader } from '../../database/entities/table.js';
import type { TokenIdentity } from '../../options/token-claims.js';
import type { EventKeys } from '../index/event-key.js';
import type { HistoryGaps } from '../index/history-gaps.js';
import { RevocationIndex } from '../index/revocation-index.js';
import type { OpenLog } from './open-log.js';

/** An event of the log that revokes a token. @publicApi */
export interface TokenEnding {
  /** What it revokes: the token, its session, its account's tokens, its key's tokens, or all. */
  readonly kind: RevocationKind;
  /** Its position in the log. An event with a smaller position was committed earlier. */
  readonly position: number;
  readonly reason: RevocationReason;
  /** The `actor` that the application passed. */
  readonly actor: string | null;
  /** When it was written, by the database's clock. */
  readonly at: Date;
}

const readEvent = reader(RevocationEvent);

/**
 * Reads the events that revoke a token from the database, in the order of the log. An event of a
 * caller's transaction is found once it has a position.
 *
 * @param kid - The key that signed the token; `null` if the token has no `kid`.
 * @param gaps - The jumps that this process knows. Without them, a token of a lost history is
 * treated as one of this history.
 */
export async function endingsOf(
  { database, statements }: OpenLog,
  keys: EventKeys,
  identity: TokenIdentity,
  kid: string | null,
  gaps?: HistoryGaps,
): Promise<TokenEnding[]> {
  const { rows } = await database.read(statements.findByKeys(keysOf(keys, identity, kid)));
  return rows
    .map((row) => readEvent(row))
    .filter((event) => {
      if (!isKnownKind(event.kind)) return false;
      // An index with this event alone decides, so that the rules for what an event revokes exist
      // in one place only.
      const index = new RevocationIndex(keys, gaps);
      index.add(event);
      return index.find(identity, kid) !== undefined;
    })
    .toSorted((one, other) => one.position - other.position)
    .map(({ kind, position, reason, actor, createdAt }) => ({
      kind: kind as RevocationKind,
      position,
      reason,
      actor,
      at: new Date(createdAt),
    }));
}

/** The keys of all events that can revoke a token. */
function keysOf(
  keys: EventKeys,
  { iss, jti, sid, sub }: TokenIdentity,
  kid: string | null,
): string[] {
  const found = [keys.hex('issuer', iss, '')];
  if (jti !== undefined) found.push(keys.hex('token', iss, jti));
  if (sid !== undefined) found.push(keys.hex('session', iss, sid));
  if (sub !== undefined) found.push(keys.hex('subject', iss, sub));
  // Below format 2 of the log a revoked key applies to every issuer.
  if (kid !== null) found.push(keys.hex('key', iss, kid), keys.hex('key', '', kid));
  return found;
}
