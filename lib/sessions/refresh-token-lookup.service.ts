import { Injectable } from '@nestjs/common';
import { type KeyObject, randomInt } from 'node:crypto';
import { KeyRing } from '../authentication/key-ring.js';
import type { SessionRow } from '../database/session.statements.js';
import { refusal } from '../errors/auth.exception.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import {
  type CheckKey,
  checkKeyOf,
  hasCheckValueOf,
  isRefreshToken,
  newRefreshToken,
  type RefreshToken,
  refreshTokenDigest,
} from './refresh-token.js';
import { type LookedUpToken, SessionStore } from './session-store.service.js';

/** How much load one kind of look-up may put on the database. */
interface LaneLimits {
  /** The most keys in one statement. One statement is in flight at a time. */
  readonly batch: number;
  /**
   * The most keys that may wait for the next statements. A caller beyond that is refused at once.
   */
  readonly queue: number;
}

/**
 * The range of the random `Retry-After` (s), so that clients that were refused together do not
 * retry together.
 */
const RETRY_AFTER = [1, 5] as const;

interface Caller<T> {
  readonly resolve: (found: T | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Looks up keys in batches, one statement at a time, so that all callers together use one
 * connection. A caller never gets the result of a statement that was sent before its call, because
 * it could miss a logout.
 */
export class LookupLane<T> {
  private readonly waiting = new Map<string, Caller<T>[]>();
  private isRunning = false;

  /** @param look - Runs one statement, and returns what was found, by key. */
  constructor(
    private readonly look: (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>,
    private readonly limits: LaneLimits,
  ) {}

  /**
   * Looks up a key in the next batch.
   *
   * @throws AuthUnavailableException `storage_unavailable` if the queue is full.
   */
  find(key: string): Promise<T | undefined> {
    const callers = this.waiting.get(key) ?? [];
    if (callers.length === 0 && this.waiting.size >= this.limits.queue) {
      return Promise.reject(
        refusal('storage_unavailable', {
          message: 'Too many tokens are being looked up. Try again.',
          retryAfter: randomInt(RETRY_AFTER[0], RETRY_AFTER[1] + 1),
        }),
      );
    }
    this.waiting.set(key, callers);
    const found = new Promise<T | undefined>((resolve, reject) => {
      callers.push({ resolve, reject });
    });
    if (!this.isRunning) void this.run();
    return found;
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    while (this.waiting.size > 0) {
      const batch = [...this.waiting].slice(0, this.limits.batch);
      for (const [key] of batch) this.waiting.delete(key);
      try {
        const found = await this.look(batch.map(([key]) => key));
        for (const [key, callers] of batch) {
          for (const { resolve } of callers) resolve(found.get(key));
        }
      } catch (error) {
        for (const { reject } of batch.flatMap(([, callers]) => callers)) reject(error);
      }
    }
    this.isRunning = false;
  }
}

/**
 * The limits for tokens that this application made: the queue holds as many as its clients may
 * present at once.
 */
export const OWN = { batch: 500, queue: 10_000 } as const;

/**
 * The limits for all other texts: few at a time, so that a flood of them puts almost no load on the
 * database.
 */
export const STRANGERS = { batch: 100, queue: 200 } as const;

/**
 * Looks up refresh tokens, and makes new ones with a check value by which it recognises them.
 *
 * A token with a correct check value waits in one queue, any other text in another one. Another
 * text may be a token of an earlier release or of a removed key, which is still valid. Or it may be
 * one of a million random texts of an attacker, which must not delay the refreshes and logouts of
 * clients.
 */
@Injectable()
export class RefreshTokenLookup {
  private readonly derived = new WeakMap<KeyObject, CheckKey>();
  private readonly own = new LookupLane((digests) => this.store.present(digests), OWN);
  private readonly strangers = new LookupLane((digests) => this.store.present(digests), STRANGERS);

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

  /**
   * Finds a token with its session, whether the session has ended or not. `undefined` for any other
   * text.
   *
   * @throws AuthUnavailableException `storage_unavailable`, also for a text without a correct check
   * value while too many of those are waiting.
   */
  async present(token: string): Promise<LookedUpToken | undefined> {
    if (!isRefreshToken(token)) return undefined;
    const found = await this.look(token);
    if (found?.isEnding !== true) return found;
    // A caller's transaction has committed its revocation, which counts from that commit on (C5).
    await this.log.settlePending();
    const again = await this.look(token);
    if (again?.isEnding !== true) return again;
    const { endedAt, endReason } = again.session;
    const ended = { endedAt: endedAt ?? 0, endReason: endReason ?? 'logout' };
    return { ...again, session: { ...again.session, ...ended } };
  }

  /** Finds the session of a token, as {@link present}. */
  async find(token: string): Promise<SessionRow | undefined> {
    return (await this.present(token))?.session;
  }

  /**
   * Selects the tokens that this application made, by their check values, and at most `others`
   * other texts.
   */
  worthLookingUp(texts: readonly string[], others: number): string[] {
    const keys = this.checkKeys();
    const own = new Set(
      texts.filter((text) => isRefreshToken(text) && hasCheckValueOf(text, keys)),
    );
    return [...own, ...texts.filter((text) => !own.has(text)).slice(0, others)];
  }

  /**
   * Records that a token was used for a committed logout. If its predecessor is presented later,
   * that is reported as reuse. The logout is in effect without this record, so a failure is
   * ignored.
   */
  async usedInLogout(token: string): Promise<void> {
    const digest = refreshTokenDigest(token);
    await this.store.attempt(({ statements }) => statements.useUp(digest));
  }

  private look(token: RefreshToken): Promise<LookedUpToken | undefined> {
    const isOwn = hasCheckValueOf(token, this.checkKeys());
    const lane = isOwn ? this.own : this.strangers;
    return lane.find(refreshTokenDigest(token)).catch(this.meter.refusedEach);
  }

  /** The keys of check values. The first one is for new tokens. @internal */
  checkKeys(): CheckKey[] {
    return this.keys.secretHalves().map((key) => {
      let derived = this.derived.get(key);
      if (derived === undefined) this.derived.set(key, (derived = checkKeyOf(key)));
      return derived;
    });
  }
}
