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

/** 192 random bits, more than the 128 bits that ASVS 5.0 requires (7.2.3). */
const RANDOM_BYTES = 24;
/** The length of the check value after them, which cannot be guessed without a key. */
const CHECK_BYTES = 8;
const SHAPE = /^[A-Za-z0-9_-]{43}$/;
const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** A refresh token as its client has it. It is never stored, logged or put into an error. */
export type RefreshToken = string;

/** The key of check values. It is derived from a signing key, so it cannot sign anything else. */
export type CheckKey = Buffer;

/** Derives the key of check values from a secret or a private key: the same on every instance. */
export function checkKeyOf(key: KeyObject): CheckKey {
  return deriveKey(key, 'refresh-check');
}

/**
 * Makes a new token: 43 characters of base64url that contain no information. The last 8 bytes are a
 * check value, by which an instance recognises the token before it asks the database. Without a key
 * they are random.
 */
export function newRefreshToken(key: CheckKey | undefined): RefreshToken {
  const random = randomBytes(RANDOM_BYTES);
  const check = key === undefined ? randomBytes(CHECK_BYTES) : checkValue(random, key);
  return Buffer.concat([random, check]).toString('base64url');
}

/**
 * Whether one of these keys made the check value. That only selects the queue of the look-up: a
 * token of an earlier release has no check value, but is valid too.
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

/**
 * Whether a text has the format of a refresh token. Any other text is refused without a look-up.
 */
export function isRefreshToken(text: unknown): text is RefreshToken {
  return (
    typeof text === 'string' &&
    SHAPE.test(text) &&
    Buffer.from(text, 'base64url').toString('base64url') === text
  );
}

/**
 * The digest that is stored for a token, in hexadecimal digits. SHA-256 is sufficient, because no
 * one can try 2^192 tokens.
 */
export function refreshTokenDigest(token: RefreshToken): string {
  return hash('sha256', `nestjs-logout/refresh-token:${token}`, 'hex');
}

/**
 * The digest that is stored for an idempotency key. It includes the token: so a weak key cannot be
 * guessed from the digest, and a key that is used twice has two different digests.
 */
export function retryDigest(token: RefreshToken, idempotencyKey: string): string {
  return hash('sha256', `nestjs-logout/retry:${token}:${idempotencyKey}`, 'hex');
}

/**
 * Encrypts a token with a key that only the client with its predecessor can derive. So a retry can
 * get the same successor, and a copy of the database contains no usable token (RT-07).
 *
 * @param idempotencyKey - If given, it is also needed for decryption: a copy of the database and an
 * old token are not enough.
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

/**
 * Decrypts what {@link sealSuccessor} encrypted.
 *
 * @throws Error if it was encrypted with another token or key, or was changed.
 */
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
