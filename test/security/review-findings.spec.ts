import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AuthUnavailableException } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, serverKinds, sqlite, type TestDatabase } from '../support/databases.js';
import { type Instance, startInstance } from '../support/instance.js';

const ISSUER = 'https://issuer.test';

describe('findings of a review that must not come back', () => {
  const clock = new TestClock();
  let database: TestDatabase;
  let instance: Instance;

  beforeEach(async () => {
    database = await sqlite.migrated();
    instance = await startInstance(database, { clock });
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await instance?.close();
    await database?.drop();
  });

  it('an absurd exp of trusted claims stops no feed', async () => {
    const exp = Math.floor(Number.MAX_SAFE_INTEGER / 1000) - 1;
    const receipt = await instance.logout.logout({ iss: ISSUER, jti: 'x', sub: 'x', iat: 0, exp });
    expect(Number.isFinite(receipt.keptUntil?.getTime())).toBe(true);
    expect(await instance.feed.strictProof()).toBe(true);
    const other = await startInstance(database, { clock });
    expect(other.revocation.status().ready).toBe(true);
    await other.close();
  });

  it('an event is kept for the token lifetime of its writer, registered or not', async () => {
    await instance.dataSource.query('UPDATE auth_head SET max_token_life = 0');
    const receipt = await instance.logout.logoutAll('alice');
    expect(receipt.keptUntil?.getTime()).toBeGreaterThanOrEqual(clock.database() + 900_000);
  });

  it('a login registers first if the registration was lost', async () => {
    await instance.dataSource.query('UPDATE auth_head SET max_token_life = 0');
    await instance.login();
    const [row] = await instance.dataSource.query('SELECT max_token_life AS life FROM auth_head');
    expect(Number(row.life)).toBe(900_000);
  });

  it('assertActive refuses a token that expired so long ago that its revocation may be forgotten', async () => {
    const now = Math.floor(clock.database() / 1000);
    const claims = { iss: ISSUER, sub: 'alice', jti: 'x', iat: now - 600, exp: now - 60 };
    await expect(instance.revocation.assertActive(claims)).rejects.toMatchObject({
      code: 'token_expired',
    });
  });

  it('@Freshness(0) accepts a proof that was sent after the request arrived', async () => {
    const token = await instance.login();
    await expect(instance.tokens.verify(token, { freshness: 0 })).resolves.toMatchObject({
      sub: 'alice',
    });
  });

  it('a token beyond this instance’s position waits for nothing while polls fail', async () => {
    const token = await instance.login();
    jest.spyOn((await instance.open()).database, 'poll').mockRejectedValue(new Error('away'));
    expect(await instance.feed.strictProof()).toBe(false);
    const claims = { ...(await instance.tokens.verify(token)), gen: 1_000_000 };
    expect(await instance.revocation.decide(claims)).toMatchObject({ state: 'unknown' });
  });

  it('a thousand logins at once cost a handful of reads', async () => {
    const read = jest.spyOn((await instance.open()).database, 'read');
    await Promise.all(Array.from({ length: 1_000 }, () => instance.sessions.position()));
    expect(read.mock.calls.length).toBeLessThan(10);
  });

  it('applied() settles when the application closes', async () => {
    const receipt = await instance.dataSource.transaction((manager) =>
      instance.logout.logoutAll('alice', { manager }),
    );
    jest.spyOn((await instance.open()).database, 'poll').mockRejectedValue(new Error('away'));
    const refusal = receipt.applied().catch((error: unknown) => error);
    await instance.close();
    clock.advance(60_000);
    expect(await refusal).toMatchObject({ code: 'revocation_state_unknown' });
  });
});

/**
 * A page that a busy database does not number within its time limit is a 503; the next try
 * continues.
 */
async function loginPatiently(instance: Instance, subject: string): Promise<string> {
  for (let tries = 1; ; tries++) {
    try {
      return await instance.login(subject);
    } catch (error) {
      if (!(error instanceof AuthUnavailableException) || tries === 10) throw error;
    }
  }
}

describeOn(serverKinds, 'many pending events', (kind) => {
  it('the events of a large transaction are numbered before they are followed, and end no login that came after them', async () => {
    const database = await kind.migrated();
    const clock = new TestClock();
    const instance = await startInstance(database, { clock });
    try {
      await instance.dataSource.transaction(async (manager) => {
        for (let account = 0; account < 1_200; account++) {
          await instance.logout.logoutAll(`user${account}`, { manager });
        }
      });
      const after = await loginPatiently(instance, 'user1199');
      expect(await instance.judge(after)).toBe('active');
      expect(await instance.feed.strictProof(60_000)).toBe(true);
      expect(await instance.judge(after)).toBe('active');
      expect(instance.index.stats().byKind.subject).toBe(1_200);
    } finally {
      await instance.close();
      await database.drop();
    }
  });

  it('other logouts succeed while another transaction locks rows of its own', async () => {
    const database = await kind.migrated();
    const instance = await startInstance(database, { clock: new TestClock() });
    const runner = instance.dataSource.createQueryRunner();
    try {
      await runner.startTransaction();
      await instance.logout.logoutAll('held', { manager: runner.manager });
      await instance.dataSource.transaction(async (manager) => {
        for (let account = 0; account < 8; account++) {
          await instance.logout.logoutAll(`user${account}`, { manager });
        }
      });
      const token = await instance.login('user7');
      await instance.logout.logout(token);
      expect(await instance.judge(token)).toBe('session_ended');
      const [row] = await instance.dataSource.query('SELECT COUNT(*) AS count FROM auth_pending');
      expect(Number(row.count)).toBe(0);
    } finally {
      await runner.rollbackTransaction();
      await runner.release();
      await instance.close();
      await database.drop();
    }
  });
});
