import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { KeyRing } from '../../support/internals.js';
import { deferred } from '../../support/eventually.js';
import { claimsIn, follow } from '../../support/log-tables.js';

describe('G1: the position is read before authority is checked', () => {
  describeOn(databaseKinds, 'a login', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let there: Instance;
    let subject: string;

    beforeAll(async () => {
      database = await kind.migrated();
      here = await startInstance(database, { clock: new TestClock() });
      there = await startInstance(database, { clock: new TestClock() });
    });

    beforeEach(() => {
      subject = randomUUID();
    });

    afterEach(() => {
      jest.restoreAllMocks();
    });

    afterAll(async () => {
      await here?.close();
      await there?.close();
      await database?.drop();
    });

    it('a login reads the position of the log, and only then compares the password', async () => {
      const order: string[] = [];
      const { database: log } = await here.open();
      const read = log.read.bind(log);
      jest.spyOn(log, 'read').mockImplementation(async (statement) => {
        const answer = await read(statement);
        order.push('position');
        return answer;
      });
      await here.sessions.login(async () => {
        order.push('password');
        return { subject };
      });
      expect(order).toEqual(['position', 'password']);
    });

    it('a token is refused if the password was changed elsewhere before it was signed', async () => {
      const passwords = new Map([[subject, 'old']]);
      const isCompared = deferred();
      const mayGoOn = deferred();
      const login = here.sessions.login(async () => {
        const isRight = passwords.get(subject) === 'old';
        isCompared.resolve();
        await mayGoOn.promise;
        return isRight ? { subject } : null;
      });

      await isCompared.promise;
      passwords.set(subject, 'new');
      await there.logout.logoutAll(subject, { reason: 'password_changed' });
      mayGoOn.resolve();

      const token = (await login)?.accessToken ?? '';
      await follow(here);
      expect(await here.judge(token)).toBe('session_ended');
      expect(await there.judge(token)).toBe('session_ended');
      expect(await here.judge(await here.login(subject))).toBe('active');
    });

    it('a token is refused if the account was logged out while it was being signed', async () => {
      const isSigning = deferred();
      const maySign = deferred();
      const key = here.app.get(KeyRing, { strict: false }).signingKey();
      const jwt = here.app.get(KeyRing, { strict: false }).jwtOf(key);
      const sign = jwt.signAsync.bind(jwt) as (...given: unknown[]) => Promise<string>;
      jest.spyOn(jwt, 'signAsync').mockImplementation(async (...given: unknown[]) => {
        isSigning.resolve();
        await maySign.promise;
        return sign(...given);
      });
      const login = here.login(subject);

      await isSigning.promise;
      await there.logout.logoutAll(subject);
      maySign.resolve();

      const token = await login;
      await follow(here);
      expect(await here.judge(token)).toBe('session_ended');
      expect(await there.judge(token)).toBe('session_ended');
    });

    it('a login uses the position that the caller read before another service compared the password', async () => {
      const since = await here.sessions.position();
      await there.logout.logoutAll(subject);
      const late = await here.sessions.login({ subject }, { since });
      const other = await here.sessions.login({ subject: 'bob' }, { since });

      await follow(here);
      expect(claimsIn(late.accessToken).gen).toBe(since.position);
      expect(await here.judge(late.accessToken)).toBe('session_ended');
      expect(await here.judge(other.accessToken)).toBe('active');
    });
  });
});
