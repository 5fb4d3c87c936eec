import { Injectable } from '@nestjs/common';
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hash,
  hkdfSync,
  type KeyObject,
  randomBytes,
  randomInt,
  timingSafeEqual,
} from 'node:crypto';
import { KeyRing } from '../authentication/key-ring.js';
import { integerOf } from '../database/entities/table.js';
import { sessionOf, type SessionRow } from '../database/session.statements.js';
import type { Row } from '../database/statement.js';
import { refusal } from '../errors/auth.exception.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import { SessionStore } from './session-store.service.js';

/** 192 random bits: not a UUID and not a JWT (ASVS 5.0 7.2.3). */
const RANDOM_BYTES = 24;
/** The check value behind them: long enough that it cannot be guessed without a key. */
const CHECK_BYTES = 8;
const SHAPE = /^[A-Za-z0-9_-]{43}$/;
const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** A refresh token as its holder has it. It is never stored, logged or put into an error. */
export type RefreshToken = string;

/** The key of check values. It is derived, so nothing else can be signed with it. */
export type CheckKey = Buffer;

/** Derives the key of check values from a secret or a private key: the same on every instance. */
export function checkKeyOf(key: KeyObject): CheckKey {
  const bytes = key.type === 'secret' ? key.export() : key.export({ type: 'pkcs8', format: 'der' });
  return Buffer.from(hkdfSync('sha256', bytes, '', 'nestjs-logout/refresh-check', 32));
}

/**
 * Makes a new token: 43 characters of base64url, from which nothing can be read. By its last 8 bytes, the
 * check value, an instance recognises it before it asks the database; without a key they are random.
 */
export function newRefreshToken(key: CheckKey | undefined): RefreshToken {
  const random = randomBytes(RANDOM_BYTES);
  const check = key === undefined ? randomBytes(CHECK_BYTES) : checkValue(random, key);
  return Buffer.concat([random, check]).toString('base64url');
}

/**
 * Whether one of these keys made the check value. It only decides which queue a look-up joins: a token of
 * an earlier release has no check value, and is valid too.
 */
export function hasCheckValueOf(token: RefreshToken, keys: readonly CheckKey[]): boolean {
  const bytes = Buffer.from(token, 'base64url');
  const random = bytes.subarray(0, RANDOM_BYTES);
  const given = bytes.subarray(RANDOM_BYTES);
  return keys.some((key) => timingSafeEqual(given, checkValue(random, key)));
}

function checkValue(random: Buffer, key: CheckKey): Buffer {
  return createHmac('sha256', key).update(random).digest().subarray(0, CHECK_BYTES);
}

/** Whether a text has the form of a refresh token; any other text is refused at no cost. */
export function isRefreshToken(text: unknown): text is RefreshToken {
  return (
    typeof text === 'string' &&
    SHAPE.test(text) &&
    Buffer.from(text, 'base64url').toString('base64url') === text
  );
}

/**
 * What is stored of a token, in hexadecimal digits. Nothing slower than SHA-256 is needed: 2^192 tokens
 * cannot be tried.
 */
export function refreshTokenDigest(token: RefreshToken): string {
  return hash('sha256', `nestjs-logout/refresh-token:${token}`, 'hex');
}

/**
 * What is stored of an idempotency key. The token is part of it, so that keys cannot be tried against
 * the digest, and one key that is used twice leaves no two equal digests.
 */
export function retryDigest(token: RefreshToken, idempotencyKey: string): string {
  return hash('sha256', `nestjs-logout/retry:${token}:${idempotencyKey}`, 'hex');
}

/**
 * Encrypts a token under a key that only the holder of its predecessor can derive, so that a retry can
 * get the same successor and the database holds nothing that can be used (RT-07).
 *
 * @param idempotencyKey - Needed as well to open it: a copy of the database and an old token are then
 * not enough.
 */
export function sealSuccessor(
  predecessor: RefreshToken,
  successor: RefreshToken,
  idempotencyKey = '',
): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, keyOf(predecessor, idempotencyKey), iv);
  const text = Buffer.concat([cipher.update(successor, 'base64url'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), text]).toString('hex');
}

/** @throws Error when it was sealed by another token or key, or has been changed. */
export function openSuccessor(
  predecessor: RefreshToken,
  sealed: string,
  idempotencyKey = '',
): RefreshToken {
  const bytes = Buffer.from(sealed, 'hex');
  const key = keyOf(predecessor, idempotencyKey);
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  const text = Buffer.concat([
    decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)),
    decipher.final(),
  ]);
  return text.toString('base64url');
}

function keyOf(token: RefreshToken, idempotencyKey: string): Buffer {
  const secret = Buffer.from(token, 'base64url');
  return Buffer.from(hkdfSync('sha256', secret, idempotencyKey, 'nestjs-logout/successor', 32));
}

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
          message: 'Too many tokens are being looked up at this moment. Try again.',
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
const OWN = { batch: 500, queue: 10_000 } as const;

/** All other texts: few at a time, so that a flood of them costs the database almost nothing. */
const STRANGERS = { batch: 100, queue: 200 } as const;

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
    // Its end was committed in a caller's transaction and counts from then on (C5).
    await this.log.settlePending();
    const again = await this.rowOf(token);
    if (again === undefined) return undefined;
    const session = sessionOf(again);
    return integerOf(again['pending_ends']) === 0
      ? session
      : { ...session, endedAt: session.endedAt ?? 0, endReason: session.endReason ?? 'logout' };
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

  private rowOf(token: RefreshToken): Promise<Row | undefined> {
    const isOwn = hasCheckValueOf(token, this.checkKeys());
    const lane = isOwn ? this.own : this.strangers;
    return lane.find(refreshTokenDigest(token)).catch(this.meter.refused);
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
