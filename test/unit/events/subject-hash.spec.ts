import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { createSecretKey, hash } from 'node:crypto';
import { type AuthEvent, AuthEvents } from '../../../lib/events/auth-events.service.js';
import { resolveAuthOptions } from '../../../lib/options/resolved-auth-options.js';

const KEY = 'the key of the hashes in events: 32 bytes or more';

function eventsWith(subjectHashKey?: string | Uint8Array): AuthEvents {
  const base = { secret: 'a secret of the tests: 32 bytes or more', issuer: 'i', audience: 'a' };
  return new AuthEvents(
    resolveAuthOptions(subjectHashKey === undefined ? base : { ...base, subjectHashKey }),
  );
}

/** As everyone can compute it without a key. */
function unkeyed(kind: string, id: string): string {
  return hash('sha256', JSON.stringify(['nestjs-logout/event', 'i', kind, id]), 'hex').slice(0, 32);
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('the hash of a subject in events', () => {
  it('the hash of a subject differs with each key, and cannot be computed without it', () => {
    const [one, other] = [eventsWith(KEY), eventsWith(`${KEY}!`)];
    expect(one.subjectHash('alice')).toMatch(/^[0-9a-f]{32}$/);
    expect(one.subjectHash('alice')).not.toBe(unkeyed('subject', 'alice'));
    expect(one.subjectHash('alice')).not.toBe(other.subjectHash('alice'));
    expect(one.subjectHash('alice')).not.toBe(one.subjectHash('bob'));
  });

  it('the hash of a subject is the same on every instance, for each form of the key', () => {
    const bytes = Buffer.from(KEY);
    const hashes = [KEY, bytes, createSecretKey(bytes)].map((key) =>
      eventsWith(key as string).subjectHash('alice'),
    );
    expect(new Set(hashes).size).toBe(1);
  });

  it('the hash covers the session too', () => {
    const told: AuthEvent[] = [];
    const events = eventsWith(KEY);
    events.subscribe((event) => told.push(event));
    events.tell({ type: 'login', subject: 'alice', sessionId: 'session' });
    expect(told[0]?.subject).toBe(events.subjectHash('alice'));
    expect(told[0]?.session).not.toBe(unkeyed('session', 'session'));
  });

  it('without a key subjects are reported as they are, with one warning', () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const events = eventsWith();
    expect(events.subjectHash('alice')).toBe(unkeyed('subject', 'alice'));
    events.subjectHash('bob');
    expect(warn.mock.calls).toEqual([[expect.stringContaining('subjectHashKey')]]);
    eventsWith(KEY).subjectHash('alice');
    expect(warn).toHaveBeenCalledTimes(1);
  });
});
