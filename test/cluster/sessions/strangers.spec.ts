import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { AuthException, type AuthKeySource, type LoginResult } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import {
  AuthMeter,
  refreshTokenDigest,
  RefreshTokenLookup,
  statementOf,
} from '../../support/internals.js';
import { codeOf, login } from '../../support/session-acts.js';

const FLOOD = 2_000;
/** What one statement in flight and a full queue can hold. */
const MOST = 201;

const old = {
  kid: 'old',
  alg: 'HS256',
  secret: 'a secret that is going to leave the ring',
} as const;
const fresh = {
  kid: 'fresh',
  alg: 'HS256',
  secret: 'a secret that comes to sign in its place',
} as const;

describeOn(databaseKinds, 'S1: refresh tokens and random texts', (kind) => {
  let database: TestDatabase;
  let clock: TestClock;
  let instance: Instance;

  const start = async (keys?: AuthKeySource): Promise<void> => {
    instance = await startInstance(database, { clock, ...(keys === undefined ? {} : { keys }) });
  };
  const randomText = (): string => randomBytes(32).toString('base64url');

  /** As the previous release made it: 32 random bytes, in a row of a current session. */
  const tokenOfPreviousRelease = async (): Promise<string> => {
    const { refreshToken } = await login(instance, 'alice');
    const text = randomText();
    const { database: log } = await instance.open();
    const table = log.dialect.table('auth_refresh');
    const digest = (token: string): Buffer => Buffer.from(refreshTokenDigest(token), 'hex');
    await log.read(
      statementOf(log.dialect, `UPDATE ${table} SET token_digest = ? WHERE token_digest = ?`, [
        digest(text),
        digest(refreshToken),
      ]),
    );
    return text;
  };

  /** Everything is asked in one turn of the event loop; returns the codes, counted. */
  const countCodes = async (asked: readonly Promise<unknown>[]): Promise<Map<string, number>> => {
    const counts = new Map<string, number>();
    for (const code of await Promise.all(asked.map(codeOf))) {
      counts.set(code, (counts.get(code) ?? 0) + 1);
    }
    return counts;
  };

  beforeEach(async () => {
    database = await kind.migrated();
    clock = new TestClock();
  });

  afterEach(async () => {
    await instance?.close();
    await database?.drop();
  });

  it('a flood of random texts is rejected, and no one is kept from refreshing or logging in', async () => {
    await start();
    const [alice, bob] = [await login(instance, 'alice'), await login(instance, 'bob')];
    const flood = Array.from({ length: FLOOD }, (_, i) =>
      i % 2 === 0 ? instance.sessions.refresh(randomText()) : instance.logout.logout(randomText()),
    );
    const counted = countCodes(flood);
    const refreshed = instance.sessions.refresh(alice.refreshToken);
    const loggedOut = instance.logout.logout(bob.refreshToken);
    expect(await codeOf(refreshed)).toBe('good');
    expect(await codeOf(loggedOut)).toBe('good');
    const counts = await counted;
    expect(counts.get('refresh_token_invalid')).toBeLessThanOrEqual(MOST);
    expect(counts.get('storage_unavailable')).toBeGreaterThanOrEqual(FLOOD - MOST);
    expect([...counts.keys()].toSorted()).toEqual(['refresh_token_invalid', 'storage_unavailable']);
  });

  it('a flood of texts with a valid checksum is answered with few statements', async () => {
    await start();
    const { refreshToken } = await login(instance, 'alice');
    const { database: log } = await instance.open();
    let reads = 0;
    const read = log.read.bind(log);
    log.read = (statement) => {
      if (statement.sql.includes('auth_refresh')) reads++;
      return read(statement);
    };
    const forged = Array.from({ length: FLOOD }, () =>
      instance.app.get(RefreshTokenLookup).issue(),
    );
    const counted = countCodes(forged.map((text) => instance.sessions.refresh(text)));
    expect(await codeOf(instance.sessions.refresh(refreshToken))).toBe('good');
    expect(await counted).toEqual(new Map([['refresh_token_invalid', FLOOD]]));
    expect(reads).toBeLessThanOrEqual(10);
  });

  it('a look-up that fails gives each of its callers its own exception, and counts each', async () => {
    await start();
    const { database: log } = await instance.open();
    const { read } = log;
    log.read = () => Promise.reject(new Error('the database is away'));
    const [one = '', ...others] = Array.from({ length: 4 }, () =>
      instance.app.get(RefreshTokenLookup).issue(),
    );
    const errors = await Promise.all(
      [one, one, ...others].map((text) =>
        instance.sessions.refresh(text).catch((error: unknown) => error),
      ),
    );
    log.read = read;
    for (const error of errors) expect(error).toMatchObject({ code: 'storage_unavailable' });
    expect(new Set(errors).size).toBe(5);
    const { unavailable } = instance.app.get(AuthMeter, { strict: false });
    expect(unavailable.storage_unavailable).toBe(5);
  });

  it('a token of the previous release is accepted, and its successor is recognised', async () => {
    await start();
    const text = await tokenOfPreviousRelease();
    const next = await instance.sessions.refresh(text);
    expect(next.refreshToken).toHaveLength(43);
    await expectRecognised(next);
    expect(await codeOf(instance.logout.logout(await tokenOfPreviousRelease()))).toBe('good');
  });

  it('a token whose key has left the ring is accepted', async () => {
    await start([old]);
    const before = await login(instance, 'alice');
    await instance.close();
    await start([fresh, { ...old, use: 'verify' }]);
    await expectRecognised(before);
    await instance.close();
    await start([fresh]);
    expect(await codeOf(instance.sessions.refresh(before.refreshToken))).toBe('good');
  });

  it('a token made under a leaked key is treated as unknown, and is still accepted', async () => {
    await start([fresh, old]);
    const before = await login(instance, 'alice');
    await instance.logout.revokeKey('fresh');
    const flood = Array.from({ length: FLOOD }, () => instance.sessions.refresh(randomText()));
    const counted = countCodes(flood);
    expect(await codeOf(instance.sessions.refresh(before.refreshToken))).toBe(
      'storage_unavailable',
    );
    await counted;
    expect(await codeOf(instance.sessions.refresh(before.refreshToken))).toBe('good');
  });

  it('an instance that only verifies looks up every text as unknown', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    await start([{ kid: 'pair', alg: 'ES256', privateKey: createPrivateKey(pem) }]);
    const { refreshToken, accessToken } = await login(instance, 'alice');
    await expectRecognised({ refreshToken });
    await instance.close();
    await start([{ kid: 'pair', alg: 'ES256', publicKey }]);
    const counted = countCodes(
      Array.from({ length: FLOOD }, () => instance.logout.logout(randomText())),
    );
    expect(await codeOf(instance.logout.logout(refreshToken))).toBe('storage_unavailable');
    await counted;
    expect(await codeOf(instance.logout.logout(refreshToken))).toBe('good');
    expect(await instance.judge(accessToken)).toBe('session_ended');
  });

  /** Recognised tokens are found although the queue of unknown texts is full. */
  const expectRecognised = async ({ refreshToken }: Pick<LoginResult, 'refreshToken'>) => {
    const counted = countCodes(
      Array.from({ length: FLOOD }, () => instance.sessions.refresh(randomText())),
    );
    const found = await instance.app
      .get(RefreshTokenLookup)
      .find(refreshToken ?? '')
      .catch((error: unknown) => error);
    expect(found).not.toBeInstanceOf(AuthException);
    expect(found).toMatchObject({ subject: 'alice' });
    await counted;
  };
});
