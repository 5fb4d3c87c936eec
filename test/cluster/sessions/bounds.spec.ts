import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { AuthException } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { codeOf, login } from '../../support/session-acts.js';

const ACCESS_TTL = 900_000;

describeOn(databaseKinds, 'S7: a session that is refreshed often', (kind) => {
  let database: TestDatabase;
  let clock: TestClock;
  let instance: Instance;

  beforeEach(async () => {
    database = await kind.migrated();
    clock = new TestClock();
    instance = await startInstance(database, { clock });
  });

  afterEach(async () => {
    await instance?.close();
    await database?.drop();
  });

  /** The tokens in their order; each but the last has been used. */
  const rotate = async (first: string, times: number, pause: number): Promise<string[]> => {
    const tokens = [first];
    for (let time = 0; time < times; time++) {
      clock.advance(pause);
      tokens.push((await instance.sessions.refresh(tokens.at(-1) ?? '')).refreshToken ?? '');
    }
    return tokens;
  };
  const countRows = async (): Promise<number> => {
    const rows = (await instance.dataSource.query('SELECT COUNT(*) AS n FROM auth_refresh')) as {
      n: unknown;
    }[];
    return Number(rows[0]?.n);
  };

  it('a session keeps 100 used tokens, and an older one is invalid and ends nothing', async () => {
    const { refreshToken } = await login(instance, 'alice');
    const tokens = await rotate(refreshToken, 105, ACCESS_TTL / 20 + 1);
    expect(await countRows()).toBe(101);
    clock.advance(ACCESS_TTL);
    expect(await codeOf(instance.sessions.refresh(tokens[4] ?? ''))).toBe('refresh_token_invalid');
    expect(await codeOf(instance.sessions.refresh(tokens[105] ?? ''))).toBe('good');
    expect(await codeOf(instance.sessions.refresh(tokens[6] ?? ''))).toBe('refresh_token_reused');
    expect(await codeOf(instance.sessions.refresh(tokens[105] ?? ''))).toBe('session_ended');
  });

  it('a used token that an earlier release stored is treated as if it were deleted', async () => {
    const { refreshToken } = await login(instance, 'alice');
    const tokens = await rotate(refreshToken, 2, ACCESS_TTL);
    await instance.dataSource.query(
      'UPDATE auth_refresh SET number = number + 1000 WHERE number > 1',
    );
    expect(await codeOf(instance.sessions.refresh(tokens[0] ?? ''))).toBe('refresh_token_invalid');
    expect(await codeOf(instance.sessions.refresh(tokens[2] ?? ''))).toBe('good');
    expect(await countRows()).toBe(4);
  });

  it('the 21st rotation within one access-token lifetime is refused with 429, and consumes nothing', async () => {
    const [alice, bob] = [await login(instance, 'alice'), await login(instance, 'bob')];
    const tokens = await rotate(alice.refreshToken, 20, 1_000);
    const last = tokens.at(-1) ?? '';
    clock.advance(1_000);
    const refusal = await instance.sessions.refresh(last).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(AuthException);
    expect(refusal).toMatchObject({ status: 429, code: 'too_many_attempts' });
    // The first of the 20 was made 20 s ago.
    expect((refusal as AuthException).headers['Retry-After']).toBe('880');
    // A retry of a lost answer makes no row, and is no rotation.
    expect(await codeOf(instance.sessions.refresh(tokens.at(-2) ?? ''))).toBe('good');
    expect(await codeOf(instance.sessions.refresh(bob.refreshToken))).toBe('good');
    clock.advance(879_999);
    expect(await codeOf(instance.sessions.refresh(last))).toBe('too_many_attempts');
    clock.advance(1);
    expect(await codeOf(instance.sessions.refresh(last))).toBe('good');
  });
});
