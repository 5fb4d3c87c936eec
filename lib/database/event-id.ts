import { randomBytes } from 'node:crypto';

/**
 * A new event id: 16 bytes as 32 hex digits, random and time-ordered (RFC 9562 section 5.7, UUIDv7),
 * so that neighbours in time are neighbours in the index. Its time decides nothing.
 */
export function newEventId(now: number): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex');
}
