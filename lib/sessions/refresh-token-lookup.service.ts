import { Injectable } from '@nestjs/common';
import type { KeyObject } from 'node:crypto';
import { KeyRing } from '../authentication/key-ring.service.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import { integerOf } from '../database/log-rows.js';
import type { Row } from '../database/statement.js';
import { LookupLane } from './lookup-lane.js';
import {
  type CheckKey,
  checkKeyOf,
  hasCheckValueOf,
  isRefreshToken,
  newRefreshToken,
  type RefreshToken,
  refreshTokenDigest,
} from './refresh-token.js';
import { SessionStore } from './session-store.service.js';
import { type SessionRow, sessionOf } from '../database/session-rows.js';

/** Tokens that this application made: what waits here is as much as its clients present at once. */
const OWN = { batch: 500, queue: 10_000 } as const;

/** All other texts: few at a time, so that a flood of them costs the database next to nothing. */
const STRANGERS = { batch: 100, queue: 200 } as const;

/**
 * Looks refresh tokens up, and makes new ones that it will recognise.
 *
 * A token with a right check value waits with its like. Any other text waits in a lane of its own: it
 * may be a token of an earlier release, or of a key that is gone, and is then as good as ever; or one
 * of a million random texts, which must not keep anybody from refreshing or logging out.
 */
@Injectable()
export class RefreshTokenLookup {
  private readonly derived = new WeakMap<KeyObject, CheckKey>();
  private readonly own = new LookupLane(this.look.bind(this), OWN);
  private readonly strangers = new LookupLane(this.look.bind(this), STRANGERS);

  constructor(
    private readonly log: RevocationLog,
    private readonly store: SessionStore,
    private readonly keys: KeyRing,
    private readonly meter: AuthMeter,
  ) {}

  /** A new token, with the check value of the key that signs now. */
  issue(): RefreshToken {
    return newRefreshToken(this.checkKeys()[0]);
  }

  /** Whether a text has a right check value; without one it may be a token all the same. */
  isOwn(text: string): boolean {
    return isRefreshToken(text) && hasCheckValueOf(text, this.checkKeys());
  }

  /**
   * The session that a token belongs to, whether it has ended or not; `undefined` for any other text.
   *
   * @throws AuthUnavailableException `storage_unavailable`, also for a text without a right check value
   * while too many of those are waiting.
   */
  async find(token: string): Promise<SessionRow | undefined> {
    if (!isRefreshToken(token)) return undefined;
    const row = await this.rowOf(token);
    if (row === undefined) return undefined;
    if (integerOf(row['pending_ends']) === 0) return sessionOf(row);
    // Its end was committed in somebody's transaction and counts from then on (C5).
    await this.log.settlePending();
    const again = await this.rowOf(token);
    if (again === undefined) return undefined;
    const session = sessionOf(again);
    return integerOf(again['pending_ends']) === 0
      ? session
      : { ...session, endedAt: session.endedAt ?? 0, endReason: session.endReason ?? 'logout' };
  }

  private rowOf(token: RefreshToken): Promise<Row | undefined> {
    const lane = this.isOwn(token) ? this.own : this.strangers;
    return this.meter.refusalsOf(lane.find(refreshTokenDigest(token)));
  }

  private async look(digests: readonly string[]): Promise<ReadonlyMap<string, Row>> {
    const rows = await this.store.read(({ statements }) => statements.findByTokens(digests));
    return new Map(rows.map((row) => [row['token_digest'] ?? '', row]));
  }

  private checkKeys(): CheckKey[] {
    return this.keys.secretHalves().map((key) => {
      let derived = this.derived.get(key);
      if (derived === undefined) this.derived.set(key, (derived = checkKeyOf(key)));
      return derived;
    });
  }
}
