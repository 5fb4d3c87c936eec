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
import { AccountService, type ApiTokenInfo, ApiTokenService } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { clockOf, controlPolls, NEVER_WAIT } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { follow, loseAllAfter } from '../../support/log-tables.js';
import { codeOf } from '../../support/session-acts.js';

const DAY = 86_400_000;
const OPTIONS = { ...NEVER_WAIT, apiTokens: true } as const;

/** Counts the statements of an instance, without those of the feed. */
async function countStatements(instance: Instance): Promise<() => number> {
  const { database } = await instance.open();
  const spies = [jest.spyOn(database, 'read'), jest.spyOn(database, 'transaction')];
  return () => spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
}

type Remembered = { readonly token: string } & ApiTokenInfo;
type Act = (instance: Instance, subject: string) => Promise<unknown>;

const ACTS: readonly (readonly [name: string, act: Act, code: string])[] = [
  ['logoutAll', ({ logout }, subject) => logout.logoutAll(subject), 'session_ended'],
  ['lock', ({ app }, subject) => app.get(AccountService).lock(subject, '1h'), 'account_locked'],
  ['disable', ({ app }, subject) => app.get(AccountService).disable(subject), 'account_disabled'],
  ['remove', ({ app }, subject) => app.get(AccountService).remove(subject), 'session_ended'],
  ['revokeEveryone', ({ logout }) => logout.revokeEveryone(), 'token_revoked'],
];

/** Two instances on one database, with a clock each. */
interface World {
  readonly database: TestDatabase;
  readonly here: Instance;
  there: Instance;
}

describe('API tokens', () => {
  describeOn(databaseKinds, 'what revokes them', (kind) => {
    let shared: World;
    let apart: World | undefined;
    let here: Instance;
    let there: Instance;
    /** An account that no other test has. */
    let alice: string;

    const startOn = (database: TestDatabase): Promise<Instance> =>
      startInstance(database, { clock: new TestClock(), options: OPTIONS });
    const startWorld = async (): Promise<World> => {
      const database = await kind.migrated();
      return { database, here: await startOn(database), there: await startOn(database) };
    };
    const end = async (world: World | undefined): Promise<void> => {
      await world?.here.close();
      await world?.there.close();
      await world?.database.drop();
    };
    /** For a test that moves a clock, loses rows, or stops an instance. */
    const startApart = async (): Promise<World> => {
      apart = await startWorld();
      ({ here, there } = apart);
      return apart;
    };
    const restart = async (world: World): Promise<void> => {
      await world.there.close();
      world.there = await startOn(world.database);
      ({ there } = world);
    };

    beforeAll(async () => {
      shared = await startWorld();
    });

    beforeEach(() => {
      ({ here, there } = shared);
      alice = randomUUID();
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      await end(apart);
      apart = undefined;
    });

    afterAll(() => end(shared));

    const issue = (subject = alice, instance = here) =>
      instance.app.get(ApiTokenService).issue(subject, { name: 'backup' });

    /** Issues a token that both instances have accepted, and remember. */
    async function remembered(subject = alice): Promise<Remembered> {
      const { token, info } = await issue(subject);
      await follow(there);
      expect([await here.judge(token), await there.judge(token)]).toEqual(['active', 'active']);
      return { token, ...info };
    }

    it('revoke() is refused here at once and elsewhere after the next poll, although both instances remember the token', async () => {
      const { token, id, expiresAt } = await remembered();
      const other = await issue();
      const receipt = await here.app.get(ApiTokenService).revoke(id);
      expect(receipt.events).toMatchObject([{ kind: 'token' }]);
      // Whichever instance writes it: O3.
      expect(receipt.keptUntil?.getTime()).toBeGreaterThan(expiresAt.getTime());
      expect(await here.judge(token)).toBe('token_revoked');
      await follow(there);
      const statements = await countStatements(there);
      expect(await there.judge(token)).toBe('token_revoked');
      expect(statements()).toBe(0);
      expect(await there.judge(other.token)).toBe('active');
      // Again: nothing is written, and the receipt names the same event.
      const { events } = await there.app.get(ApiTokenService).revoke(token);
      expect(events).toEqual(receipt.events);
    });

    it.each(ACTS)(
      '%s ends earlier API tokens as it ends earlier sessions, and no later ones',
      async (name, act, code) => {
        const { token } = await remembered();
        await act(here, alice);
        expect(await here.judge(token)).toBe(code);
        await follow(there);
        expect(await there.judge(token)).toBe(code);
        const isShut = name === 'lock' || name === 'disable';
        if (isShut) {
          expect(await codeOf(issue())).toBe(code);
          return;
        }
        // In the same second.
        const next = await issue();
        expect([await here.judge(next.token), await there.judge(next.token)]).toEqual([
          'active',
          'active',
        ]);
        expect(await here.judge(token)).not.toBe('active');
      },
    );

    it('a password change revokes all API tokens of the account, and changed claims revoke none', async () => {
      const { token } = await remembered();
      const accounts = here.app.get(AccountService);
      await accounts.claimsChanged(alice);
      await follow(there);
      expect([await here.judge(token), await there.judge(token)]).toEqual(['active', 'active']);
      const session = await here.tokens.verify(await here.login(alice));
      await accounts.passwordChanged(alice, { keepSession: session.sid });
      await follow(there);
      expect([await here.judge(token), await there.judge(token)]).toEqual([
        'session_ended',
        'session_ended',
      ]);
    });

    it('revoking a signing key revokes no API token', async () => {
      const { token } = await remembered();
      await here.logout.revokeKey('a key that leaked');
      await follow(there);
      expect([await here.judge(token), await there.judge(token)]).toEqual(['active', 'active']);
    });

    it('the first request with an API token reads one row, and the next ones read nothing', async () => {
      const { token } = await issue();
      const statements = await countStatements(there);
      expect(await there.judge(token)).toBe('active');
      expect(statements()).toBe(1);
      for (let round = 0; round < 20; round++) expect(await there.judge(token)).toBe('active');
      expect(statements()).toBe(1);
    });

    it('a revoked API token is still refused after a restart', async () => {
      const world = await startApart();
      const { token, id } = await remembered();
      await here.app.get(ApiTokenService).revoke(id);
      await restart(world);
      expect(await there.judge(token)).toBe('token_revoked');
    });

    it('an instance that cannot prove that it is fresh answers 503, and 401 for API tokens that it knows are revoked', async () => {
      await startApart();
      const { token } = await remembered();
      const ended = await remembered();
      await here.app.get(ApiTokenService).revoke(ended.id);
      await follow(there);
      const polls = await controlPolls(there);
      polls.fail();
      clockOf(there).advance(6_000);
      await eventually(() => there.feed.failing);
      expect(await there.judge(token)).toBe('revocation_state_unknown');
      expect(await there.judge(ended.token)).toBe('token_revoked');
    });

    it('a revocation that cannot be stored is an error, and the API token stays valid', async () => {
      const { token, id } = await remembered();
      const { database: connections } = await here.open();
      for (const method of ['transaction', 'transactionOf'] as const) {
        if (connections[method] === undefined) continue;
        jest.spyOn(connections, method).mockRejectedValue(new Error('The disk is full.'));
      }
      expect(await codeOf(here.app.get(ApiTokenService).revoke(id))).toBe('storage_unavailable');
      expect(await there.judge(token)).toBe('active');
    });

    it('an account that was logged out after the position was read is issued no API token', async () => {
      const since = await here.sessions.position();
      await there.logout.logoutAll(alice);
      const late = here.app.get(ApiTokenService).issue(alice, { name: 'late', since });
      expect(await codeOf(late)).toBe('session_ended');
    });

    it('a revoked API token is still refused after its event and the cut-off were purged', async () => {
      const world = await startApart();
      const [alices, bobs] = [await remembered(alice), await remembered('bob')];
      await here.app.get(ApiTokenService).revoke(alices.id);
      await here.logout.logoutAll('bob');
      await follow(there);
      for (const instance of [here, there]) clockOf(instance).advance(3 * DAY);
      await Promise.all([follow(here), follow(there)]);
      const count = async (table: string): Promise<number> => {
        const rows = (await here.dataSource.query(`SELECT COUNT(*) AS n FROM ${table}`)) as {
          n: string;
        }[];
        return Number(rows[0]?.n);
      };
      // Another event, so that the one of bob is not the last.
      await here.logout.logoutAll('carol');
      await eventually(async () => {
        await here.purge.purge();
        return (await count('auth_subject')) === 1;
      });
      for (const instance of [here, there]) {
        const { index, proofs } = instance;
        while (index.sweep(proofs.now()) > 0);
        expect(await instance.judge(bobs.token)).toBe('token_invalid');
        expect(await instance.judge(alices.token)).toMatch(/token_revoked|token_invalid/);
      }
      const clock = new TestClock();
      clock.advance(3 * DAY);
      const fresh = await startInstance(world.database, { clock, options: OPTIONS });
      expect(await fresh.judge(bobs.token)).toBe('token_invalid');
      expect(await fresh.judge(alices.token)).toMatch(/token_revoked|token_invalid/);
      await fresh.close();
    });

    it('the row of an API token is read again before the log may forget the event that revoked it', async () => {
      await startApart();
      const { token } = await remembered();
      await here.logout.logoutAll(alice);
      await follow(there);
      // The event is kept for one access-token lifetime and two minutes more.
      for (const instance of [here, there]) clockOf(instance).advance(20 * 60_000);
      await follow(there);
      while (there.index.sweep(there.proofs.now()) > 0);
      const { sub, jti, gen } = { sub: alice, jti: undefined, gen: 0 };
      expect(
        there.index.find({ iss: 'https://issuer.test', sub, jti, gen }, '', true),
      ).toBeUndefined();
      expect(await there.judge(token)).toBe('session_ended');
    });

    it('a process that was paused between the answer and the decision does not trust the answer', async () => {
      await startApart();
      const { token } = await issue();
      const { database: connections } = await there.open();
      const read = connections.read.bind(connections);
      let goOn = (): void => undefined;
      const held = new Promise<void>((resolve) => (goOn = resolve));
      let isHeld = false;
      jest.spyOn(connections, 'read').mockImplementationOnce(async (statement) => {
        const answer = await read(statement);
        isHeld = true;
        await held;
        return answer;
      });
      const verdict = there.judge(token);
      await eventually(() => isHeld);
      await here.logout.logoutAll(alice);
      await follow(there);
      for (const instance of [here, there]) clockOf(instance).advance(20 * 60_000);
      await follow(there);
      while (there.index.sweep(there.proofs.now()) > 0);
      goOn();
      expect(await verdict).toBe('revocation_state_unknown');
      expect(await there.judge(token)).toBe('session_ended');
    });

    it.each(['lock', 'disable'] as const)(
      'API tokens that a %s ended stay ended after the account is unlocked or enabled, also after a restart',
      async (act) => {
        const world = await startApart();
        const { token } = await remembered();
        const accounts = here.app.get(AccountService);
        if (act === 'lock') {
          await accounts.lock(alice, '1h');
          await there.app.get(AccountService).unlock(alice);
        } else {
          await accounts.disable(alice);
          await there.app.get(AccountService).enable(alice);
        }
        await Promise.all([follow(here), follow(there)]);
        await restart(world);
        for (const instance of [here, there]) {
          expect(await instance.judge(token)).toMatch(/^account_(locked|disabled)$/);
        }
        const next = await issue();
        expect([await here.judge(next.token), await there.judge(next.token)]).toEqual([
          'active',
          'active',
        ]);
      },
    );

    it('100 first requests at the same time read one row', async () => {
      const { token } = await issue();
      const statements = await countStatements(there);
      const verdicts = await Promise.all(Array.from({ length: 100 }, () => there.judge(token)));
      expect(new Set(verdicts)).toEqual(new Set(['active']));
      // The first is on its way already; the others wait for one together.
      expect(statements()).toBeLessThanOrEqual(2);
    });

    it('a position may be used for an API token, as for a login, for an hour', async () => {
      await startApart();
      const since = await here.sessions.position();
      await there.logout.logoutAll(alice);
      clockOf(here).advance(3 * DAY);
      await follow(here);
      await here.logout.logoutAll('carol');
      await eventually(async () => {
        await here.purge.purge();
        const rows = (await here.dataSource.query('SELECT 1 FROM auth_subject')) as unknown[];
        return rows.length === 1;
      });
      const late = here.app.get(ApiTokenService).issue(alice, { name: 'late', since });
      expect(await codeOf(late)).toBe('storage_unavailable');
    });

    it('a revocation that the database lost and this instance knows is written to the row again', async () => {
      const world = await startApart();
      const { token, info } = await issue();
      await there.app.get(ApiTokenService).revoke(info.id);
      await follow(here);
      await loseAllAfter(there, 0);
      await there.dataSource.query('UPDATE auth_api_token SET ended_at = NULL, end_reason = NULL');
      await follow(here);
      expect(await here.judge(token)).toBe('token_revoked');
      await eventually(async () => {
        const rows = (await there.dataSource.query('SELECT ended_at FROM auth_api_token')) as {
          ended_at: unknown;
        }[];
        return rows[0]?.ended_at !== null;
      });
      await restart(world);
      expect(await there.judge(token)).toBe('token_revoked');
    });

    it('a server that is behind a known position does not report a token as unknown', async () => {
      await startApart();
      const { token } = await issue();
      await here.logout.logoutAll('bob');
      await follow(here);
      await loseAllAfter(there, 0);
      await there.dataSource.query('DELETE FROM auth_api_token');
      expect(await here.judge(token)).toBe('revocation_state_unknown');
    });

    it('an API token is refused after it expires', async () => {
      await startApart();
      const { token } = await here.app
        .get(ApiTokenService)
        .issue(alice, { name: 'short', expiresIn: '10s' });
      expect(await here.judge(token)).toBe('active');
      clockOf(here).advance(16_000);
      await follow(here);
      expect(await here.judge(token)).toBe('token_expired');
    });
  });
});
