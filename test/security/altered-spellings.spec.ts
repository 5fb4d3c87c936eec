import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync, verify } from 'node:crypto';
import type { AuthKeySource } from 'nestjs-logout';
import { sqlite, type TestDatabase } from '../support/databases.js';
import { type Instance, startInstance } from '../support/instance.js';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ORDER = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const RINGS: [string, AuthKeySource][] = [
  ['RS256', [{ kid: 'rsa', alg: 'RS256', privateKey: rsa.privateKey }]],
  ['ES256', [{ kid: 'ec', alg: 'ES256', privateKey: ec.privateKey }]],
];

/** The other signature of the same text that the curve's symmetry makes valid: (r, n - s). */
function twin(token: string): string {
  const end = token.lastIndexOf('.');
  const signature = Buffer.from(token.slice(end + 1), 'base64url');
  const s = BigInt(`0x${signature.subarray(32).toString('hex')}`);
  const other = Buffer.from((ORDER - s).toString(16).padStart(64, '0'), 'hex');
  const text = Buffer.concat([signature.subarray(0, 32), other]).toString('base64url');
  return `${token.slice(0, end)}.${text}`;
}

describe.each(RINGS)('a revoked token in another spelling, %s', (alg, keys) => {
  let database: TestDatabase;
  let instance: Instance;
  let token: string;

  beforeAll(async () => {
    database = await sqlite.migrated();
    instance = await startInstance(database, { keys });
    token = await instance.login();
    expect(await instance.judge(token)).toBe('active');
    await instance.logout.logout(token);
  });

  afterAll(async () => {
    await instance?.close();
    await database?.drop();
  });

  it('a revoked token is refused with every other last character', async () => {
    for (const digit of DIGITS) {
      const spelling = token.slice(0, -1) + digit;
      expect(await instance.judge(spelling)).not.toBe('active');
    }
  });

  it.each(['=', '==', '.', ' ', '\n', '%3D', '\0'])(
    'a revoked token is refused with %j appended',
    async (tail) => {
      expect(await instance.judge(token + tail)).not.toBe('active');
    },
  );

  const withTwin = alg === 'ES256' ? it : undefined;
  withTwin?.('is refused with the n - s twin of its signature, which verifies', async () => {
    const other = twin(token);
    expect(other).not.toBe(token);
    const end = other.lastIndexOf('.');
    const signature = Buffer.from(other.slice(end + 1), 'base64url');
    const key = { key: ec.publicKey, dsaEncoding: 'ieee-p1363' } as const;
    expect(verify('sha256', Buffer.from(other.slice(0, end)), key, signature)).toBe(true);
    expect(await instance.judge(other)).toBe('session_ended');
  });
});
