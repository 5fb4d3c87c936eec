import { describe, expect, it } from '@jest/globals';
import { createHash, randomUUID } from 'node:crypto';
import {
  EventKeys,
  formatHexKey,
  parseHexKey,
} from '../../../../lib/revocation/index/event-key.js';
import type { RevocationKind } from '../../../../lib/database/entities/revocation-event.entity.js';

const OWN = 'https://own.example';
const FOREIGN = 'https://foreign.example';
const keys = new EventKeys(OWN);

/** The definition once more, written as plainly as possible. */
function digestOf(...parts: string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

function xor(a: string, b: string): string {
  return (BigInt(`0x${a}`) ^ BigInt(`0x${b}`)).toString(16).padStart(32, '0');
}

describe('EventKeys (protocol W2)', () => {
  it.each(['token', 'session'] as const)(
    'EventKeys keeps the 128 bits of an own %s id, salted',
    (kind) => {
      for (let i = 0; i < 100; i++) {
        const id = randomUUID();
        const salt = digestOf('nestjs-logout/uuid-salt', kind, OWN);
        expect(keys.hex(kind, OWN, id)).toBe(xor(id.replaceAll('-', ''), salt));
      }
    },
  );

  it('EventKeys hashes every id of a foreign issuer, UUID or not', () => {
    const id = randomUUID();
    const expected = digestOf('nestjs-logout/event-key', 'token', FOREIGN, id);
    expect(keys.hex('token', FOREIGN, id)).toBe(expected);
    // So a foreign signer cannot compute the jti that lands on one of our keys.
    const ownKey = keys.hex('token', OWN, id);
    const salt = digestOf('nestjs-logout/uuid-salt', 'token', FOREIGN);
    const hex = xor(ownKey, salt);
    const aimed = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    expect(keys.hex('token', FOREIGN, aimed)).not.toBe(ownKey);
  });

  it.each(['subject', 'key', 'issuer'] as const)(
    'EventKeys hashes a %s, even one that is a UUID',
    (kind) => {
      const id = randomUUID();
      const expected = digestOf('nestjs-logout/event-key', kind, OWN, id);
      expect(keys.hex(kind, OWN, id)).toBe(expected);
    },
  );

  it('EventKeys hashes an id that only resembles a canonical UUID', () => {
    const id = '0123abcd-4567-4890-abcd-ef0123456789';
    const others = [
      id.toUpperCase(),
      `${id} `,
      ` ${id}`,
      id.replaceAll('-', ''),
      `{${id}}`,
      id.replace('-', '_'),
      id.replace('a', 'g'),
      id.replace('a', '`'),
      id.replace('0', '/'),
      id.replace('9', ':'),
      // Characters whose low byte is a digit's or a dash's.
      id.replace('0', '\u0130'),
      id.replace('-', '\u012d'),
      id.replace('a', '\u0661'),
      id.replace('0', '\uff10'),
      '',
    ];
    for (const other of others) {
      const expected = digestOf('nestjs-logout/event-key', 'token', OWN, other);
      expect(keys.hex('token', OWN, other)).toBe(expected);
    }
  });

  it('EventKeys gives each kind, issuer and id its own key', () => {
    const uuid = randomUUID();
    const ids = [
      uuid,
      uuid.toUpperCase(),
      'a',
      'A',
      'a ',
      'caf\u00e9',
      'cafe\u0301',
      '__proto__',
      'constructor',
      '',
      '\0',
      '"',
      '\\',
      '","',
      '\ud800',
      '\ud801',
      '\ufffd',
      '\\ud800',
      'x'.repeat(1_000_000),
    ];
    const issuers = [OWN, FOREIGN, '', `${OWN}","a`, '\ud800', '\ufffd'];
    const kinds: RevocationKind[] = ['token', 'session', 'subject', 'key', 'issuer'];
    const seen = new Set<string>();
    for (const kind of kinds) {
      for (const issuer of issuers) for (const id of ids) seen.add(keys.hex(kind, issuer, id));
    }
    expect(seen.size).toBe(kinds.length * issuers.length * ids.length);
  });

  it('EventKeys writes the words of its text form', () => {
    const out = new Uint32Array(4);
    for (const [issuer, id] of [
      [OWN, randomUUID()],
      [FOREIGN, 'abc'],
    ] as const) {
      keys.write('session', issuer, id, out);
      expect(formatHexKey(out)).toBe(keys.hex('session', issuer, id));
    }
  });

  it('EventKeys is the same on every instance: known keys', () => {
    const other = new EventKeys('https://issuer.example');
    const uuid = '0123abcd-4567-4890-abcd-ef0123456789';
    expect({
      token: other.hex('token', 'https://issuer.example', uuid),
      session: other.hex('session', 'https://issuer.example', uuid),
      subject: other.hex('subject', 'https://issuer.example', 'alice'),
      key: other.hex('key', '', 'kid-1'),
      issuer: other.hex('issuer', 'https://issuer.example', ''),
    }).toEqual(KNOWN);
  });
});

/** In the database of every user: a change here needs a new format (protocol H5). */
const KNOWN = {
  token: 'c0bef12a605fb2c14ece2c6aea127c00',
  session: 'a388d0b57d51217e5c1c9d9ee9eaef9e',
  subject: '32c69c4e6019f5468a2836af035916e0',
  key: 'aced6c1a0c8ab6d173b905f47032fcba',
  issuer: 'b4651b0b47ffc98131822f2366726054',
};

describe('parseHexKey', () => {
  it('parseHexKey reads 32 lower-case digits and nothing else', () => {
    const out = new Uint32Array(4);
    expect(parseHexKey('00000001fffffffe0123456789abcdef', out)).toBe(true);
    expect([...out]).toEqual([1, 0xfffffffe, 0x01234567, 0x89abcdef]);
    expect(formatHexKey(out)).toBe('00000001fffffffe0123456789abcdef');
    for (const bad of [
      '',
      '0'.repeat(31),
      '0'.repeat(33),
      'F'.repeat(32),
      `${'0'.repeat(31)}g`,
      `${'0'.repeat(31)}\u0130`,
    ]) {
      expect(parseHexKey(bad, out)).toBe(false);
    }
  });
});
