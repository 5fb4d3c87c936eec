import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { AuthEvents, type AuthSettings, type LoginResult } from 'nestjs-logout';
import type { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn } from '../../support/databases.js';
import { eventually } from '../../support/eventually.js';
import type { Instance } from '../../support/instance.js';
import { openSuccessor } from '../../support/internals.js';
import { codeOf, login } from '../../support/session-acts.js';
import { Pair } from './pair.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describeOn(databaseKinds, 'A28: an idempotency key', (kind) => {
  let shared: Pair;
  let apart: Pair | undefined;
  let clock: TestClock;
  let here: Instance;
  let there: Instance;
  /** An account that no other test has. */
  let alice: string;
  /** What the client stored before it first sent its token. */
  const key = randomUUID();

  const use = (pair: Pair): void => {
    ({ clock, here, there } = pair);
  };
  /** Two instances for this test alone, for example because it lets a day pass. */
  const startApart = async (options?: Partial<AuthSettings>): Promise<void> => {
    apart = await Pair.start(kind, options);
    use(apart);
  };
  const refresh = (
    on: Instance,
    token: string | undefined,
    idempotencyKey?: string,
  ): Promise<LoginResult> => on.sessions.refresh(token ?? '', { idempotencyKey });
  const openSessions = async (): Promise<number> => (await here.sessions.list(alice)).length;

  beforeAll(async () => {
    shared = await Pair.start(kind);
  });

  beforeEach(() => {
    use(shared);
    alice = randomUUID();
  });

  afterEach(async () => {
    await apart?.end();
    apart = undefined;
  });

  afterAll(() => shared?.end());

  it('a retry with the key gets the same successor days after the grace, on any instance', async () => {
    await startApart();
    const { refreshToken } = await login(here, alice);
    const lost = await refresh(here, refreshToken, key);
    for (let day = 0; day < 3; day++) {
      clock.advance(DAY);
      const again = await refresh(there, refreshToken, key);
      expect(again.refreshToken).toBe(lost.refreshToken);
      expect(await here.judge(again.accessToken)).toBe('active');
    }
    expect(await codeOf(refresh(there, lost.refreshToken, randomUUID()))).toBe('good');
  });

  it.each([
    ['no key', undefined],
    ['another key', randomUUID()],
  ])('a retry with %s proves nothing: after the grace it ends the session', async (_, other) => {
    const { refreshToken } = await login(here, alice);
    await refresh(here, refreshToken, key);
    clock.advance(9_000);
    expect(await codeOf(refresh(there, refreshToken, other))).toBe('good');
    clock.advance(1_001);
    expect(await codeOf(refresh(there, refreshToken, other))).toBe('refresh_token_reused');
    expect(await openSessions()).toBe(0);
    expect(await codeOf(refresh(here, refreshToken, key))).toBe('session_ended');
  });

  it('the key does not help the owner against a thief who came first with another key', async () => {
    const { refreshToken } = await login(here, alice);
    const stolen = await refresh(there, refreshToken, randomUUID());
    clock.advance(HOUR);
    expect(await codeOf(refresh(here, refreshToken, key))).toBe('refresh_token_reused');
    expect(await codeOf(refresh(there, stolen.refreshToken))).toBe('session_ended');
  });

  it('a retry ends the session if another client was given the successor and has used it', async () => {
    const { refreshToken } = await login(here, alice);
    await refresh(here, refreshToken, key); // the answer is lost
    const stolen = await refresh(there, refreshToken); // within the grace
    await refresh(there, stolen.refreshToken);
    clock.advance(HOUR);
    expect(await codeOf(refresh(here, refreshToken, key))).toBe('refresh_token_reused');
    expect(await openSessions()).toBe(0);
  });

  it('the client stays logged in when its old request is delivered once more, after it has gone on', async () => {
    const { refreshToken } = await login(here, alice);
    const second = await refresh(here, refreshToken, key);
    clock.advance(HOUR);
    const third = await refresh(there, second.refreshToken, randomUUID());
    clock.advance(HOUR);
    expect((await refresh(there, refreshToken, key)).refreshToken).toBe(second.refreshToken);
    expect(await codeOf(refresh(here, third.refreshToken, randomUUID()))).toBe('good');
  });

  it('the key works without a grace, and is not counted among the retries within one', async () => {
    await startApart({ refreshGrace: 0, refreshGraceRetries: 0 });
    const { refreshToken } = await login(here, alice);
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => refresh(i % 2 ? here : there, refreshToken, key)),
    );
    expect(new Set(answers.map((answer) => answer.refreshToken)).size).toBe(1);
    expect(await codeOf(refresh(here, refreshToken))).toBe('refresh_token_reused');
  });

  it('a retry is accepted 100 times within one access-token lifetime, and then gets 429, and the session stays open', async () => {
    const [ours, theirs] = [await login(here, alice), await login(here, randomUUID())];
    const lost = await refresh(here, ours.refreshToken, key);
    for (let retry = 0; retry < 50; retry++) await refresh(here, ours.refreshToken, key);
    clock.advance(HOUR); // the earlier ones are forgotten
    for (let retry = 0; retry < 100; retry++) {
      await refresh(retry % 2 ? here : there, ours.refreshToken, key);
    }
    const refusal = await refresh(there, ours.refreshToken, key).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ status: 429, code: 'too_many_attempts' });
    // A hundredth of the 15 minutes.
    expect(refusal).toMatchObject({ headers: { 'Retry-After': '9' } });
    await refresh(here, theirs.refreshToken, key);
    expect(await codeOf(refresh(here, theirs.refreshToken, key))).toBe('good');
    clock.advance(8_999);
    expect(await codeOf(refresh(here, ours.refreshToken, key))).toBe('too_many_attempts');
    clock.advance(1);
    expect(await codeOf(refresh(here, ours.refreshToken, key))).toBe('good');
    expect(await codeOf(refresh(here, ours.refreshToken, key))).toBe('too_many_attempts');
    expect(await codeOf(refresh(here, lost.refreshToken, randomUUID()))).toBe('good');
  });

  it('a retry is accepted after the database was set back by a day, however many retries there were', async () => {
    await startApart();
    const { refreshToken } = await login(here, alice);
    await refresh(here, refreshToken, key);
    await here.dataSource.query(
      `UPDATE auth_session SET retries_until = ${clock.database() + DAY}`,
    );
    expect(await codeOf(refresh(here, refreshToken, key))).toBe('good');
  });

  it('the key is valid for as long as its refresh token, and ends nothing after that', async () => {
    await startApart({ refreshTokenTtl: '2d', sessionIdleTtl: '2d' });
    const { refreshToken } = await login(here, alice);
    clock.advance(DAY);
    const lost = await refresh(here, refreshToken, key);
    clock.advance(DAY);
    expect(await codeOf(refresh(here, refreshToken, key))).toBe('refresh_token_expired');
    expect(await codeOf(refresh(here, lost.refreshToken))).toBe('good');
  });

  it('the key survives later rotations, the purge, and what the previous release deletes', async () => {
    await startApart();
    const { refreshToken } = await login(here, alice);
    const lost = await refresh(here, refreshToken, key);
    clock.advance(HOUR);
    await here.purge.purge();
    // As the previous release does at each rotation and purge, to every row whose grace is over.
    await here.dataSource.query(
      'UPDATE auth_refresh SET sealed_successor = NULL, grace_until = NULL',
    );
    expect((await refresh(there, refreshToken, key)).refreshToken).toBe(lost.refreshToken);
  });

  it('nothing in the database can be used by others, not even with the old token', async () => {
    await startApart();
    const { refreshToken } = await login(here, alice);
    const { refreshToken: successor = '' } = await refresh(here, refreshToken, key);
    clock.advance(HOUR);
    const stored = async (): Promise<unknown[]> => {
      const rows = (await here.dataSource.query('SELECT * FROM auth_refresh')) as object[];
      return rows.flatMap((row) => Object.values(row) as unknown[]);
    };
    const isSealed = (value: unknown): boolean => Buffer.isBuffer(value) && value.length === 60;
    // The purge that a timer started when the clock moved may be running, and then no other one
    // runs.
    await eventually(async () => {
      await here.purge.purge();
      return (await stored()).filter(isSealed).length <= 1;
    });
    const values = await stored();
    const dump = values
      .map((value) => (Buffer.isBuffer(value) ? value.toString('latin1') : String(value)))
      .join('\n');
    for (const secret of [key, refreshToken, successor]) expect(dump).not.toContain(secret);
    const sealed = values.filter(isSealed);
    expect(sealed).toHaveLength(1);
    for (const value of sealed) {
      const text = (value as Buffer).toString('hex');
      expect(() => openSuccessor(refreshToken, text)).toThrow('authenticate');
      expect(() => openSuccessor(refreshToken, text, randomUUID())).toThrow('authenticate');
      expect(openSuccessor(refreshToken, text, key)).toBe(successor);
    }
  });

  it.each([
    ['21 characters', 'k'.repeat(21)],
    ['256 characters', 'k'.repeat(256)],
    ['a space in it', `${'k'.repeat(22)} `],
    ['none', ''],
    ['an umlaut', `${'k'.repeat(22)}ü`],
  ])('a key of %s is refused, and nothing is consumed', async (_, malformed) => {
    const { refreshToken } = await login(here, alice);
    await expect(refresh(here, refreshToken, malformed)).rejects.toMatchObject({
      status: 400,
      code: 'idempotency_key_invalid',
    });
    await refresh(here, refreshToken, key);
    clock.advance(HOUR);
    expect(await codeOf(refresh(here, refreshToken, key))).toBe('good');
  });

  it('a grace of ten minutes helps clients without a key', async () => {
    await startApart({ refreshGrace: '10m' });
    const told: string[] = [];
    here.app.get(AuthEvents).subscribe(({ type }) => told.push(type));
    const { refreshToken } = await login(here, alice);
    const lost = await refresh(here, refreshToken);
    clock.advance(600_000);
    expect((await refresh(here, refreshToken)).refreshToken).toBe(lost.refreshToken);
    clock.advance(1);
    expect(await codeOf(refresh(here, refreshToken))).toBe('refresh_token_reused');
    expect(told).toEqual(['login', 'refresh', 'refresh', 'refresh_reused']);
  });
});
