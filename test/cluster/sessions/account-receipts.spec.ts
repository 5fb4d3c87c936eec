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
import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import {
  AccountService,
  type AuthEvent,
  AuthEvents,
  AuthWiringError,
  type LogoutReceipt,
  type VerifiedClaims,
} from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { clockOf } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';
import { claimsIn, follow, headPosition, readEvents } from '../../support/log-tables.js';

const OURS = 'https://issuer.test';
const PARTNER = 'https://partner.test';

describe('acts on accounts', () => {
  describeOn(databaseKinds, 'a receipt', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let accounts: AccountService;
    let subject: string;
    let token: string;

    beforeAll(async () => {
      jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
      database = await kind.migrated();
      here = await startInstance(database, { clock: new TestClock() });
      accounts = here.app.get(AccountService);
    });

    beforeEach(async () => {
      subject = randomUUID();
      token = await here.login(subject);
    });

    afterEach(async () => {
      await follow(here);
      await here.log.drain();
    });

    afterAll(async () => {
      await here?.close();
      await database?.drop();
    });

    type Act = (options: object) => Promise<LogoutReceipt>;
    const ending = (): [string, Act][] => [
      ['account_locked', (options) => accounts.lock(subject, '1h', options)],
      ['account_disabled', (options) => accounts.disable(subject, options)],
      ['account_removed', (options) => accounts.remove(subject, options)],
      ['password_changed', (options) => accounts.passwordChanged(subject, options)],
      ['claims_changed', (options) => accounts.claimsChanged(subject, options)],
    ];

    it('each act that ends tokens returns a receipt with the event and the bound', async () => {
      for (const [, act] of ending()) {
        const receipt = await act({});
        const last = (await readEvents(here.dataSource)).at(-1);
        expect(receipt).toMatchObject({
          events: [{ kind: 'subject', position: last?.position, id: last?.id }],
          effectiveEverywhereWithin: 5,
          keptUntil: new Date(last?.until ?? 0),
        });
        await receipt.applied();
        expect(await here.judge(token)).toMatch(
          /^(session_ended|account_locked|account_disabled)$/,
        );
      }
    });

    it('an act waits for all instances if it is asked to', async () => {
      for (const [, act] of ending()) {
        let receipt: LogoutReceipt | undefined;
        const position = await headPosition(here.dataSource);
        void act({ wait: 'everywhere' }).then((one) => (receipt = one));
        // Only then: a clock that moves during the write would have moved far enough without any wait.
        await eventually(async () => (await headPosition(here.dataSource)) !== position);
        const before = clockOf(here).monotonic();
        await eventually(() => {
          clockOf(here).advance(100);
          return receipt !== undefined;
        });
        expect(clockOf(here).monotonic() - before).toBeGreaterThanOrEqual(5_000);
      }
    });

    it('unlock and enable revoke nothing, and their receipts name no event', async () => {
      const position = await headPosition(here.dataSource);
      for (const receipt of [await accounts.unlock(subject), await accounts.enable(subject)]) {
        expect(receipt).toMatchObject({
          events: [],
          effectiveEverywhereWithin: 0,
          keptUntil: null,
        });
        await receipt.applied();
      }
      expect(await headPosition(here.dataSource)).toBe(position);
    });

    it('each act reports an AuthEvent with the actor and the reason given', async () => {
      const heard: AuthEvent[] = [];
      const subscription = here.app.get(AuthEvents).subscribe((event) => heard.push(event));
      const options = { actor: 'dora', reason: 'administrator', requestId: 'r1' } as const;
      for (const [, act] of ending()) await act(options);
      await accounts.unlock(subject, options);
      subscription.unsubscribe();
      expect(heard.map(({ type }) => type)).toEqual([
        ...ending().map(([type]) => type),
        'account_unlocked',
      ]);
      for (const event of heard) expect(event).toMatchObject(options);
      const [row] = (await here.dataSource.query(
        'SELECT reason, actor FROM auth_event ORDER BY position DESC LIMIT 1',
      )) as object[];
      expect(row).toMatchObject({ reason: 'administrator', actor: 'dora' });
    });

    it('an act in a transaction returns the receipt of a pending event, and takes effect at the commit', async () => {
      for (const act of ['passwordChanged', 'claimsChanged', 'remove'] as const) {
        const again = await here.login(subject);
        const receipt = await here.dataSource.transaction(async (manager) => {
          const given = await accounts[act](subject, { manager });
          expect(await here.judge(again)).toBe('active');
          return given;
        });
        expect(receipt).toMatchObject({ events: [{ position: null }], keptUntil: null });
        expect(await here.judge(again)).toBe('session_ended');
      }
    });

    it('a removal in a transaction that is rolled back leaves the sessions alone', async () => {
      const transaction = here.dataSource.transaction(async (manager) => {
        await accounts.remove(subject, { manager });
        throw new Error('the caller rolls back');
      });
      await expect(transaction).rejects.toThrow('the caller rolls back');
      clockOf(here).advance(2_000);
      await here.log.settlePending();
      expect(await here.judge(token)).toBe('active');
      expect(await here.sessions.list(subject)).toHaveLength(1);
    });

    it('a removal in a transaction is followed by the erasure of the logins', async () => {
      const rows = async (): Promise<number> =>
        (await here.dataSource.query(`SELECT sid FROM auth_session WHERE subject = '${subject}'`))
          .length;
      await here.dataSource.transaction(async (manager) => {
        await accounts.remove(subject, { manager });
        clockOf(here).advance(2_000);
        expect(await rows()).toBe(1);
      });
      await here.login(subject); // a new account of the same name
      await eventually(async () => {
        clockOf(here).advance(1_000);
        return (await rows()) === 1;
      });
      expect(await here.sessions.list(subject)).toHaveLength(1);
      expect(await here.judge(token)).toBe('session_ended');
    });

    it('{ manager } is refused for acts that decide about logins', async () => {
      await here.dataSource.transaction(async (manager) => {
        const options: object = { manager };
        const acts = [
          () => accounts.lock(subject, '1h', options),
          () => accounts.disable(subject, options),
          () => accounts.unlock(subject, options),
          () => accounts.enable(subject, options),
        ];
        for (const act of acts) await expect(act()).rejects.toThrow(/in a transaction of yours/);
      });
    });
  });

  describe('with foreign issuers', () => {
    let database: TestDatabase;
    let here: Instance;
    let accounts: AccountService;

    beforeAll(async () => {
      jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
      database = await sqlite.migrated();
      here = await startInstance(database, {
        clock: new TestClock(),
        options: { foreign: [{ issuer: PARTNER, maxTokenLife: '1h', maxSessionLife: '2h' }] },
      });
      accounts = here.app.get(AccountService);
    });

    afterAll(async () => {
      await here?.close();
      await database?.drop();
    });

    const acts = (subject: string, options: object = {}): [string, () => Promise<unknown>][] => [
      ['logoutAll()', () => here.logout.logoutAll(subject, options)],
      ['passwordChanged()', () => accounts.passwordChanged(subject, options)],
      ['claimsChanged()', () => accounts.claimsChanged(subject, options)],
      ['remove()', () => accounts.remove(subject, options)],
    ];
    const loginActs = (
      subject: string,
      options: object = {},
    ): [string, () => Promise<unknown>][] => [
      ['lock()', () => accounts.lock(subject, '1h', options)],
      ['disable()', () => accounts.disable(subject, options)],
      ['unlock()', () => accounts.unlock(subject, options)],
      ['enable()', () => accounts.enable(subject, options)],
      ['logoutAll({ lockFor })', () => here.logout.logoutAll(subject, { lockFor: 60, ...options })],
    ];
    const foreignClaims = (): VerifiedClaims => {
      const iat = Math.floor(clockOf(here).wall() / 1000) - 60;
      return { iss: PARTNER, sub: `auth0|${randomUUID()}`, jti: randomUUID(), iat, exp: iat + 600 };
    };

    it('an act on an account that is not known to be ours throws an error that names the call, and writes nothing', async () => {
      const before = await headPosition(here.dataSource);
      for (const [call, act] of [...acts('auth0|123'), ...loginActs('auth0|123')]) {
        await expect(act()).rejects.toBeInstanceOf(AuthWiringError);
        await expect(act()).rejects.toThrow(`${call} was called without issuer`);
      }
      await expect(here.logout.logoutSession(randomUUID())).rejects.toThrow(/without issuer/);
      expect(await headPosition(here.dataSource)).toBe(before);
    });

    it('an act applies to our own issuer if the account has a session or a row of ours', async () => {
      for (const [, act] of [...acts('alice'), ...loginActs('bob', { issuer: OURS })]) {
        await here.logout.logoutAll('alice', { issuer: OURS }); // a row, after remove() too
        await act();
      }
      const token = await here.login('carol');
      await here.logout.logoutAll('carol');
      expect(await here.judge(token)).toBe('session_ended');
      const another = await here.login('carol');
      await here.logout.logoutSession(claimsIn(another).sid);
      expect(await here.judge(another)).toBe('session_ended');
      for (const [, act] of loginActs('carol')) await act();
    });

    it('an act on an account of a foreign issuer ends the tokens of that issuer', async () => {
      for (const [, act] of acts('eve', { issuer: PARTNER })) {
        const claims = { ...foreignClaims(), sub: 'eve' };
        await act();
        await expect(here.revocation.assertActive(claims)).rejects.toMatchObject({ status: 401 });
      }
      await expect(
        here.revocation.assertActive({ ...foreignClaims(), sub: 'frank' }),
      ).resolves.toBeUndefined();
    });

    it('revokeKey() needs an issuer for a kid that no key of ours has', async () => {
      const { kid } = JSON.parse(
        Buffer.from((await here.login()).split('.')[0] ?? '', 'base64url').toString(),
      ) as { kid: string };
      const before = await readEvents(here.dataSource);
      await expect(here.logout.revokeKey('their key')).rejects.toThrow(
        /^revokeKey\(\) was called without issuer.*kid.*"https:\/\/partner/s,
      );
      await expect(here.logout.revokeKey('their key', { dryRun: true })).rejects.toThrow(/issuer/);
      await expect(here.logout.revokeKey(kid, { issuer: 'https://slip.test' })).rejects.toThrow(
        /neither the option issuer nor in the option foreign/,
      );
      const sessions = { issuer: PARTNER, sessions: true };
      await expect(here.logout.revokeKey(kid, sessions)).rejects.toThrow(/Omit sessions/);
      expect(await readEvents(here.dataSource)).toEqual(before);
      // A key of theirs may have the name of ours.
      const counted = (issuer?: string): Promise<{ sessions: number }> =>
        here.logout.revokeKey(kid, { dryRun: true, issuer });
      expect((await counted(PARTNER)).sessions).toBe(0);
      expect((await counted()).sessions).toBeGreaterThan(0);
    });

    it('an act that decides about logins is refused for a foreign issuer', async () => {
      for (const [call, act] of loginActs('carol', { issuer: PARTNER })) {
        await expect(act()).rejects.toThrow(`${call} was called with issuer`);
      }
    });

    it('an issuer that is not registered is refused, because nothing would be ended', async () => {
      const options = { issuer: `${PARTNER}/` };
      for (const [, act] of acts('carol', options)) {
        await expect(act()).rejects.toThrow(/neither the option issuer nor in the option foreign/);
      }
      await expect(here.logout.logoutSession('a session', options)).rejects.toThrow(/foreign/);
      await expect(here.logout.revokeEveryone(options)).rejects.toThrow(/foreign/);
    });
  });

  describe('with a missing subject in the caller’s code', () => {
    let database: TestDatabase;
    let here: Instance;

    beforeAll(async () => {
      database = await sqlite.migrated();
      here = await startInstance(database, { clock: new TestClock() });
    });

    afterAll(async () => {
      await here?.close();
      await database?.drop();
    });

    it.each([undefined, null, { id: 1 }, Promise.resolve('alice'), true])(
      'a missing subject is a wiring error (500) that names the call: %p',
      async (lost) => {
        const accounts = here.app.get(AccountService);
        const subject = lost as never;
        const calls: [string, () => Promise<unknown>][] = [
          ['logoutAll()', () => here.logout.logoutAll(subject)],
          ['lock()', () => accounts.lock(subject, 60)],
          ['unlock()', () => accounts.unlock(subject)],
          ['disable()', () => accounts.disable(subject)],
          ['enable()', () => accounts.enable(subject)],
          ['remove()', () => accounts.remove(subject)],
          ['passwordChanged()', () => accounts.passwordChanged(subject)],
          ['claimsChanged()', () => accounts.claimsChanged(subject)],
          ['sessions.login()', () => here.sessions.login(() => ({ subject }))],
          ['sessions.list()', () => here.sessions.list(subject)],
          ['logoutSession()', () => here.logout.logoutSession(subject)],
          ['revokeKey()', () => here.logout.revokeKey(subject)],
        ];
        for (const [call, act] of calls) {
          await expect(act()).rejects.toBeInstanceOf(AuthWiringError);
          await expect(act()).rejects.toThrow(`${call} was called with a`);
        }
      },
    );

    it.each(['', 'a\0b', 'x'.repeat(256), '\ud800'])(
      'a text that cannot be a subject is a 400: %j',
      async (subject) => {
        const invalid = { status: 400, code: 'invalid_subject' };
        await expect(here.logout.logoutAll(subject)).rejects.toMatchObject(invalid);
        await expect(here.sessions.login(() => ({ subject }))).rejects.toMatchObject(invalid);
      },
    );
  });
});
