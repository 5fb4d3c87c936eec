import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { endedBy, type Judgement, UNMARKED } from '../database/account.statements.js';
import type { ApiToken } from '../database/entities/auth-api-token.entity.js';
import { NOTES, REVOKED, type RevokedVerdict } from '../revocation/index/revoked-verdict.js';
import { type CheckKey, isRefreshToken, newRefreshToken } from '../sessions/refresh-token.js';

/** The length of the checksum at the end: six characters of base 62 hold 32 bits. */
const CHECKSUM = 6;

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * Generates a token: its prefix, 43 characters in the format of a refresh token (192 random bits
 * and a check value), and a checksum. The checksum needs no key, so scanners for leaked secrets can
 * verify it too. It protects against typing errors, not against forgery.
 */
export function newApiToken(prefix: string, key: CheckKey | undefined): string {
  const text = `${prefix}${newRefreshToken(key)}`;
  return text + checksumOf(text);
}

/**
 * Whether the string has the format of a token with this prefix. Any other string is refused without a look-up.
 */
export function isApiToken(text: string, prefix: string): boolean {
  return (
    text.startsWith(prefix) &&
    isRefreshToken(randomPartOf(text, prefix)) &&
    text.endsWith(checksumOf(text.slice(0, -CHECKSUM)))
  );
}

/** The part between the prefix and the checksum. */
export function randomPartOf(text: string, prefix: string): string {
  return text.slice(prefix.length, -CHECKSUM);
}

/**
 * The digest that is stored for a token, in hexadecimal digits. SHA-256 is sufficient, because no one can try
 * 2^192 tokens.
 */
export function apiTokenDigest(text: string): string {
  return hash('sha256', `nestjs-logout/api-token:${text}`, 'hex');
}

/** CRC-32 in base 62, most significant digit first. */
function checksumOf(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let place = 0; place < CHECKSUM; place++) {
    digits = (DIGITS[rest % DIGITS.length] ?? '') + digits;
    rest = Math.floor(rest / DIGITS.length);
  }
  return digits;
}

/** The key of no session, so a cut-off that spares one session spares no API token. */
const NO_SESSION = '';

/**
 * What revoked a token, according to its row and the cut-offs of its account and issuer;
 * `undefined` while it is active. The row is checked last, because a sweep copies the effect of a
 * cut-off into it before the cut-off is deleted (O4).
 */
export function endOfToken(
  { endedAt, endReason, gen, sid }: Pick<ApiToken, 'endedAt' | 'endReason' | 'gen' | 'sid'>,
  { account, issuer }: Pick<Judgement, 'account' | 'issuer'>,
): RevokedVerdict | undefined {
  // The access token of a session expires before its events are deleted, so the index knows every revocation of
  // it.
  const marks = sid === null ? { account, issuer } : { account: UNMARKED, issuer: UNMARKED };
  const ofAccount = endedBy(marks.account, gen, NO_SESSION);
  if (ofAccount !== undefined) return REVOKED.subject[NOTES.get(ofAccount) ?? 0];
  const ofIssuer = endedBy(marks.issuer, gen, NO_SESSION);
  if (ofIssuer !== undefined) return REVOKED.issuer[NOTES.get(ofIssuer) ?? 0];
  return endedAt === null ? undefined : REVOKED.token[NOTES.get(endReason ?? 'unspecified') ?? 0];
}
