import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hash,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { deriveKey } from '../options/key-material.js';

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
  return deriveKey(key, 'refresh-check');
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
