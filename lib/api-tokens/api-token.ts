import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type CheckKey, isRefreshToken, newRefreshToken } from '../sessions/refresh-token.js';

/** Characters of the checksum at the end: 62^6 is more than 2^32. */
const CHECKSUM = 6;

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * Makes a token: its prefix, 43 characters as a refresh token has them (192 random bits and a check value),
 * and a checksum. The checksum needs no key, so that a scanner for leaked secrets can compute it too.
 */
export function newApiToken(prefix: string, key: CheckKey | undefined): string {
  const text = `${prefix}${newRefreshToken(key)}`;
  return text + checksumOf(text);
}

/** Whether the text has the form of a token with this prefix; any other is refused at no cost. */
export function isApiToken(text: string, prefix: string): boolean {
  return (
    text.startsWith(prefix) &&
    isRefreshToken(randomPartOf(text, prefix)) &&
    text.endsWith(checksumOf(text.slice(0, -CHECKSUM)))
  );
}

/** What is between the prefix and the checksum. */
export function randomPartOf(text: string, prefix: string): string {
  return text.slice(prefix.length, -CHECKSUM);
}

/**
 * What is stored of a token, in hexadecimal digits. Nothing slower than SHA-256 is needed: 2^192 tokens
 * cannot be tried.
 */
export function apiTokenDigest(text: string): string {
  return hash('sha256', `nestjs-logout/api-token:${text}`, 'hex');
}

/** CRC-32 in base 62, the most significant digit first. */
function checksumOf(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let place = 0; place < CHECKSUM; place++) {
    digits = (DIGITS[rest % DIGITS.length] ?? '') + digits;
    rest = Math.floor(rest / DIGITS.length);
  }
  return digits;
}
