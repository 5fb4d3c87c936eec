import { createCipheriv, createDecipheriv, hash, hkdfSync, randomBytes } from 'node:crypto';

/** 256 random bits: not a UUID and not a JWT (ASVS 5.0 7.2.3). */
const BYTES = 32;
const SHAPE = /^[A-Za-z0-9_-]{43}$/;
const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** A refresh token as its holder has it; it is never stored, logged or put into an error. */
export type RefreshToken = string;

/** A new token: 43 characters of base64url, of which nothing can be read. */
export function newRefreshToken(): RefreshToken {
  return randomBytes(BYTES).toString('base64url');
}

/** Whether a text can be a refresh token; any other text is refused before it costs anything. */
export function isRefreshToken(text: unknown): text is RefreshToken {
  return (
    typeof text === 'string' &&
    SHAPE.test(text) &&
    Buffer.from(text, 'base64url').toString('base64url') === text
  );
}

/**
 * What is stored of a token, in hexadecimal digits. Nothing slower than SHA-256 is needed: nobody can
 * try out 2^256 tokens.
 */
export function refreshTokenDigest(token: RefreshToken): string {
  return hash('sha256', `nestjs-logout/refresh-token:${token}`, 'hex');
}

/**
 * Encrypts a token under a key that only the holder of its predecessor can derive, so that a retry can
 * be given the same successor and the database holds nothing that can be used (RT-07).
 */
export function sealSuccessor(predecessor: RefreshToken, successor: RefreshToken): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, keyOf(predecessor), iv);
  const text = Buffer.concat([cipher.update(successor, 'base64url'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), text]).toString('hex');
}

/** @throws Error when it was sealed by another token or has been changed. */
export function openSuccessor(predecessor: RefreshToken, sealed: string): RefreshToken {
  const bytes = Buffer.from(sealed, 'hex');
  const decipher = createDecipheriv(CIPHER, keyOf(predecessor), bytes.subarray(0, IV_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  const text = Buffer.concat([
    decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)),
    decipher.final(),
  ]);
  return text.toString('base64url');
}

function keyOf(token: RefreshToken): Buffer {
  const secret = Buffer.from(token, 'base64url');
  return Buffer.from(hkdfSync('sha256', secret, '', 'nestjs-logout/successor', 32));
}
