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

/** How much of a database one kind of look-up may take. */
interface LaneLimits {
  /** Keys in one statement; one statement is in flight at a time. */
  readonly batch: number;
  /** Keys that wait for the next statements; a caller beyond them is refused at once. */
  readonly queue: number;
}

/** Clients that were refused together retry apart (s). */
const RETRY_AFTER = [1, 5] as const;

interface Caller<T> {
  readonly resolve: (found: T | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Looks keys up in batches, one statement at a time. All callers together use one connection, and a
 * caller never gets the result of a statement that was sent before its call.
 */
export class LookupLane<T> {
  private readonly waiting = new Map<string, Caller<T>[]>();
  private isRunning = false;

  /** @param look - One statement: what was found, by key. */
  constructor(
    private readonly look: (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>,
    private readonly limits: LaneLimits,
  ) {}

  /** @throws AuthUnavailableException `storage_unavailable` when the queue is full. */
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

/** Tokens that this application made: the queue holds as many as its clients present at once. */
export const OWN = { batch: 500, queue: 10_000 } as const;

/** All other texts: few at a time, so that a flood of them costs the database almost nothing. */
export const STRANGERS = { batch: 100, queue: 200 } as const;

/**
 * Looks refresh tokens up, and makes new ones that it will recognise.
 *
 * A token with a right check value waits with others like it. Any other text waits in a lane of its own.
 * It may be a token of an earlier release or of a removed key, which is still valid; or one of a million
 * random texts, which must not keep any client from refreshing or logging out.
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
   * A token with its session, whether that has ended or not; `undefined` for any other text.
   *
   * @throws AuthUnavailableException `storage_unavailable`, also for a text without a right check value
   * while too many of those are waiting.
   */
  async present(token: string): Promise<LookedUpToken | undefined> {
    if (!isRefreshToken(token)) return undefined;
    const found = await this.look(token);
    if (found?.isEnding !== true) return found;
    // Its end was committed in a caller's transaction and counts from then on (C5).
    await this.log.settlePending();
    const again = await this.look(token);
    if (again?.isEnding !== true) return again;
    const { endedAt, endReason } = again.session;
    const ended = { endedAt: endedAt ?? 0, endReason: endReason ?? 'logout' };
    return { ...again, session: { ...again.session, ...ended } };
  }

  /** The session that a token belongs to, as {@link present}. */
  async find(token: string): Promise<SessionRow | undefined> {
    return (await this.present(token))?.session;
  }

  /** The tokens that this application made, by their check values, and at most `others` other texts. */
  worthLookingUp(texts: readonly string[], others: number): string[] {
    const keys = this.checkKeys();
    const own = new Set(
      texts.filter((text) => isRefreshToken(text) && hasCheckValueOf(text, keys)),
    );
    return [...own, ...texts.filter((text) => !own.has(text)).slice(0, others)];
  }

  /**
   * Notes that a token was presented in a logout that has been committed: if its predecessor is
   * presented later, that is reported as reuse. The logout counts without this, so nothing fails here.
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

  /** The keys of check values, the one of new tokens first. @internal */
  checkKeys(): CheckKey[] {
    return this.keys.secretHalves().map((key) => {
      let derived = this.derived.get(key);
      if (derived === undefined) this.derived.set(key, (derived = checkKeyOf(key)));
      return derived;
    });
  }
}
