import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type AuthEvent, AuthEvents, AuthWiringError, type ClaimsLoader } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { claimsIn } from '../../support/log-tables.js';
import { codeOf, login } from '../../support/session-acts.js';

describeOn(databaseKinds, 'A16: claims that find no account', (kind) => {
  let database: TestDatabase;
  let instance: Instance;
  let answer: () => unknown;
  let told: AuthEvent[];

  beforeEach(async () => {
    database = await kind.migrated();
    answer = () => ({ role: 'user' });
    // What an application without types returns.
    const claims = (() => answer()) as ClaimsLoader;
    instance = await startInstance(database, { clock: new TestClock(), options: { claims } });
    told = [];
    instance.app.get(AuthEvents).subscribe((event) => told.push(event));
  });

  afterEach(async () => {
    await instance?.close();
    await database?.drop();
  });

  it.each([
    ['null', () => null],
    ['a promise of null', async () => null],
  ])('%s at a refresh is 401 account_disabled, and ends the session', async (_, gives) => {
    const { refreshToken, accessToken } = await login(instance, 'alice');
    answer = gives;
    await expect(instance.sessions.refresh(refreshToken)).rejects.toMatchObject({
      status: 401,
      code: 'account_disabled',
    });
    expect(await instance.judge(accessToken)).toBe('account_disabled');
    expect(told.at(-1)).toMatchObject({ type: 'refresh_refused', reason: 'account_disabled' });
    answer = () => ({});
    expect(await codeOf(instance.sessions.refresh(refreshToken))).toBe('session_ended');
    expect(await instance.sessions.list('alice')).toEqual([]);
  });

  it('null at a login is 401 account_disabled, and starts no session', async () => {
    answer = () => null;
    expect(await codeOf(login(instance, 'alice'))).toBe('account_disabled');
    expect(told.at(-1)).toMatchObject({ type: 'login_refused', reason: 'account_disabled' });
    expect(await instance.sessions.list('alice')).toEqual([]);
  });

  it.each([
    ['undefined', () => undefined],
    ['a promise of undefined', async () => undefined],
    ['a text', () => 'admin'],
    ['a number', () => 0],
    ['false', () => false],
    ['a list', () => ['admin']],
  ])(
    '%s is an error that names claims, at login and refresh, and consumes nothing',
    async (_, gives) => {
      const { refreshToken } = await login(instance, 'alice');
      answer = gives;
      for (const act of [login(instance, 'bob'), instance.sessions.refresh(refreshToken)]) {
        const error = await act.catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(AuthWiringError);
        expect(String(error)).toContain('The option claims returned');
      }
      answer = () => ({ role: 'admin' });
      const next = await instance.sessions.refresh(refreshToken);
      expect(claimsIn(next.accessToken)).toMatchObject({ role: 'admin' });
      expect(await instance.sessions.list('bob')).toEqual([]);
    },
  );

  it('an error from claims keeps the session', async () => {
    const { refreshToken } = await login(instance, 'alice');
    answer = () => {
      throw new Error('the directory is away');
    };
    await expect(instance.sessions.refresh(refreshToken)).rejects.toThrow('the directory is away');
    answer = () => ({});
    expect(await codeOf(instance.sessions.refresh(refreshToken))).toBe('good');
  });
});
