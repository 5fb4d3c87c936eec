import type { PresentedToken } from '../database/session.statements.js';
import {
  decide,
  type RefreshOutcome,
  replacement,
  rotate,
  type Rotation,
  type RotationOptions,
} from './rotate.js';
import type { SessionWrite, StoredSessions, WriteAtOnce } from './session-store.service.js';

/** By how much the database's time may differ from what was computed of it (ms): a process may be paused. */
const MOST_DRIFT = 1_000;

/**
 * A rotation that is written without a second look, if what was read before the claims still holds: the
 * session goes on, its token was not replaced, and no lock and no cut-off of its account ends it. In every
 * other case {@link rotate} decides under the lock.
 *
 * @param now - The database's time, as counted on from a read of it.
 */
export function rotationOf(
  seen: PresentedToken,
  rotation: Rotation,
  options: RotationOptions,
  now: number,
): SessionWrite<RefreshOutcome> {
  const presented = { ...seen, judgement: { ...seen.judgement, now } };
  return {
    steps: (of) => rotate(of, seen.session.key, rotation, options),
    atOnce(of) {
      const isUsed = presented.refresh.replacedAt !== null;
      if (isUsed || decide(presented, [], rotation, options) !== undefined) return undefined;
      return atOnce(of, presented, rotation, options);
    },
  };
}

function atOnce(
  of: StoredSessions,
  presented: PresentedToken,
  rotation: Rotation,
  options: RotationOptions,
): WriteAtOnce<RefreshOutcome> {
  const { key, subjectKey } = presented.session;
  const { now } = presented.judgement;
  const { successor, replace, ...more } = replacement(of.statements, presented, rotation, options);
  const given = of.once.sessionGoesOn(
    key,
    subjectKey,
    of.issuerKey,
    rotation.since,
    of.testTime(),
    now - MOST_DRIFT,
    now + MOST_DRIFT,
  );
  return {
    name: 'refresh',
    lock: of.statements.lockSession(key),
    given,
    change: replace,
    ...more,
    outcome: { kind: 'refreshed', refresh: successor },
  };
}
