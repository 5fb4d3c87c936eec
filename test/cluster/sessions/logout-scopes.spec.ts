import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { AuthEvent, LoginContext, LoginResult, LogoutOptions } from 'nestjs-logout';
import { AuthEvents, AuthWiringError } from 'nestjs-logout';
import {
  databaseKinds,
  describeOn,
  serverKinds,
  type TestDatabase,
} from '../../support/databases.js';
import { deferred } from '../../support/eventually.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { SessionStore } from '../../support/internals.js';
import { loseCommit, readEvents, reconnect } from '../../support/log-tables.js';
import { alive, codeOf } from '../../support/session-acts.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

const ISSUER = 'https://issuer.test';
const FOREIGN = 'https://partner.test';
const MANY = 1_000;

describe('logout of one client of an account, or of one grant', () => {
  describeOn(databaseKinds, 'the sessions', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let there: Instance;
    let claims: () => Promise<Record<string, unknown>>;

    beforeAll(async () => {
      database = await kind.migrated();
      claims = async () => ({});
      const options = {
        claims: () => claims(),
        maxSessions: false as const,
        foreign: [{ issuer: FOREIGN, maxTokenLife: '1h', maxSessionLife: '30d' }] as const,
      };
      here = await startInstance(database, { options });
      there = await startInstance(database, { options });
    });

    afterEach(() => {
      claims = async () => ({});
      jest.restoreAllMocks();
    });

    afterAll(async () => {
      await here?.close();
      await there?.close();
      await database?.drop();
    });

    const login = async (
      subject: string,
      context: LoginContext = {},
      on = here,
    ): Promise<LoginResult> => {
      const result = await on.sessions.login(() => ({ subject }), context);
      if (result === null) throw new Error('login gave null');
      return result;
    };
    /** Those of which a token still works somewhere, by their number. */
    const living = async (logins: readonly LoginResult[]): Promise<number[]> => {
      const found: number[] = [];
      for (const [index, one] of logins.entries()) {
        if ((await alive([there], [one])).length > 0) found.push(index);
      }
      return found;
    };
    const openOf = async (subject: string): Promise<string[]> =>
      (await there.sessions.list(subject)).map(({ id }) => id);

    it('the sessions of one client end on every instance, and those of other clients stay open', async () => {
      const [alice, bob] = [randomUUID(), randomUUID()];
      const logins = [
        await login(alice, { client: 'tv' }),
        await login(alice, { client: 'tv' }, there),
        await login(alice, { client: 'tv ' }),
        await login(alice, { client: 'web' }),
        await login(alice),
        await login(bob, { client: 'tv' }),
      ];
      await here.logout.logoutAll(alice, { client: 'tv' });
      const later = await login(alice, { client: 'tv' });
      expect(await living([...logins, later])).toEqual([2, 3, 4, 5, 6]);
    });

    it('the sessions of one grant end for every account, and those of other grants stay open', async () => {
      const [alice, bob, grant] = [randomUUID(), randomUUID(), randomUUID()];
      const logins = [
        await login(alice, { grant }),
        await login(bob, { grant, client: 'agent' }, there),
        await login(bob, { grant: `${grant} ` }),
        await login(alice, { grant: randomUUID() }),
        await login(bob, { client: grant }),
      ];
      await there.logout.logoutGrant(grant);
      const later = await login(bob, { grant });
      expect(await living([...logins, later])).toEqual([2, 3, 4, 5]);
    });

    it('the list shows the sessions of a grant with it, and a refresh keeps it', async () => {
      const [subject, grant] = [randomUUID(), randomUUID()];
      await login(subject);
      const { refreshToken = '' } = await login(subject, { grant });
      await there.sessions.refresh(refreshToken);
      const listed = await here.sessions.list(subject);
      expect(listed.map((session) => session.grant)).toEqual([grant, null]);
    });

    describe.each(['client', 'grant'] as const)('by a %s', (scope) => {
      const context = (id: string): LoginContext => ({ [scope]: id });
      const act = (
        on: Instance,
        subject: string,
        id: string,
        options: LogoutOptions = {},
      ): Promise<unknown> =>
        scope === 'client'
          ? on.logout.logoutAll(subject, { client: id, issuer: ISSUER, ...options })
          : on.logout.logoutGrant(id, options);

      /** Holds the first call of a method of the store that `isIt`, or its answer, until it may go on. */
      const hold = (
        on: Instance,
        when: 'before' | 'after',
        method: 'writeAtOnce' | 'read',
      ): { arrived: Promise<void>; goOn: () => void } => {
        const [arrived, goOn] = [deferred(), deferred()];
        const store = on.app.get(SessionStore, { strict: false });
        const real = store[method].bind(store) as (given: unknown) => Promise<unknown>;
        jest.spyOn(store, method).mockImplementationOnce((async (given: unknown) => {
          const early = when === 'after' ? await real(given) : undefined;
          arrived.resolve();
          await goOn.promise;
          return when === 'after' ? early : real(given);
        }) as never);
        return { arrived: arrived.promise, goOn: () => goOn.resolve() };
      };

      it.each([
        ['while it asks for claims', undefined],
        ['before it is stored', ['before', 'writeAtOnce']],
        ['after it was stored', ['after', 'writeAtOnce']],
      ] as const)('G1: a login of a %s that is overtaken is refused and ends', async (_, point) => {
        const [subject, id] = [randomUUID(), randomUUID()];
        let held: ReturnType<typeof hold>;
        if (point === undefined) {
          const [arrived, goOn] = [deferred(), deferred()];
          claims = async () => {
            arrived.resolve();
            await goOn.promise;
            return {};
          };
          held = { arrived: arrived.promise, goOn: () => goOn.resolve() };
        } else held = hold(here, point[0], point[1]);
        const outcome = codeOf(login(subject, context(id)));
        await held.arrived;
        await act(there, subject, id);
        held.goOn();
        expect(await outcome).toBe('session_ended');
        expect(await openOf(subject)).toEqual([]);
      });

      it('G1: a login that starts and ends between the cut-off and the search stays open', async () => {
        const [subject, id] = [randomUUID(), randomUUID()];
        const before = await login(subject, context(id));
        const searching = hold(there, 'before', 'read');
        const acting = act(there, subject, id);
        await searching.arrived;
        const after = await login(subject, context(id));
        searching.goOn();
        await acting;
        expect(await living([before, after])).toEqual([1]);
      });

      it('G1: a login with an older position that is stored after the search is refused', async () => {
        const [subject, id] = [randomUUID(), randomUUID()];
        const since = await here.sessions.position();
        const searching = hold(there, 'after', 'read');
        const acting = act(there, subject, id);
        await searching.arrived;
        const given = { ...context(id), since };
        expect(await codeOf(here.sessions.login({ subject }, given))).toBe('session_ended');
        searching.goOn();
        await acting;
        expect(await openOf(subject)).toEqual([]);
        // The same position is accepted for any other login.
        const other = { ...context(randomUUID()), since };
        expect(await codeOf(here.sessions.login({ subject }, other))).toBe('good');
      });

      it.each(['before', 'after'] as const)(
        'a refresh that is held %s its rotation does not keep its session',
        async (when) => {
          const [subject, id] = [randomUUID(), randomUUID()];
          const old = await login(subject, context(id), there);
          const rotating = hold(here, when, 'writeAtOnce');
          const refreshing = here.sessions.refresh(old.refreshToken ?? '').catch(() => null);
          await rotating.arrived;
          await act(there, subject, id);
          rotating.goOn();
          expect(await alive([here, there], [await refreshing, old])).toEqual([]);
        },
      );

      it('the receipt names the cut-off, and each session is reported', async () => {
        const [subject, id] = [randomUUID(), randomUUID()];
        const { sessionId } = await login(subject, context(id));
        const told: AuthEvent[] = [];
        const listening = here.app.get(AuthEvents).subscribe((event) => told.push(event));
        const receipt = await act(here, subject, id, { actor: 'ops', reason: 'administrator' });
        listening.unsubscribe();
        const [cutOff, ended, ...more] = (await readEvents(here.dataSource)).slice(-2);
        expect(more).toEqual([]);
        expect(receipt).toMatchObject({
          events: [{ kind: 'subject', position: cutOff?.position, id: cutOff?.id }],
          effectiveEverywhereWithin: 5,
          keptUntil: expect.any(Date),
        });
        expect(ended).toMatchObject({ kind: 'session' });
        expect(told).toMatchObject([
          { type: 'logout', scope, reason: 'administrator', actor: 'ops' },
          { type: 'logout', scope: 'session', reason: 'administrator', actor: 'ops' },
        ]);
        expect(told[1]?.session).toBeDefined();
        expect(await openOf(subject)).not.toContain(sessionId);
        // Of a scope without sessions there is a receipt too.
        expect(await act(here, subject, randomUUID())).toMatchObject({
          events: [{ kind: 'subject' }],
        });
      });

      it('logging out a client or a grant in the caller’s transaction is refused', async () => {
        const [subject, id] = [randomUUID(), randomUUID()];
        const old = await login(subject, context(id));
        await here.dataSource.transaction(async (manager) => {
          await expect(act(here, subject, id, { manager })).rejects.toThrow(AuthWiringError);
        });
        expect(await living([old])).toEqual([0]);
      });
    });

    it(`all sessions end, of ${MANY} with one grant`, async () => {
      const grant = randomUUID();
      const logins: LoginResult[] = [];
      for (let done = 0; done < MANY; done += 50) {
        const some = Array.from({ length: 50 }, () => login(randomUUID(), { grant }));
        logins.push(...(await Promise.all(some)));
      }
      const other = await login(randomUUID(), { grant: randomUUID() });
      const before = (await readEvents(here.dataSource)).length;
      await here.logout.logoutGrant(grant);
      expect((await readEvents(here.dataSource)).length - before).toBe(MANY + 1);
      await there.feed.strictProof(60_000);
      const verdicts = await Promise.all(logins.map(({ accessToken }) => there.judge(accessToken)));
      expect(verdicts.filter((verdict) => verdict !== 'session_ended')).toEqual([]);
      expect(await living([other])).toEqual([0]);
    });

    it('sessions are not ended by a call that names no client and no grant', async () => {
      const subject = randomUUID();
      const old = await login(subject, { client: 'tv', grant: 'a' });
      const { logout } = here;
      for (const given of ['', '\0']) {
        expect(await codeOf(logout.logoutAll(subject, { client: given }))).toBe('invalid_request');
        expect(await codeOf(logout.logoutGrant(given))).toBe('invalid_request');
        expect(await codeOf(login(subject, { grant: given }))).toBe('invalid_request');
      }
      expect(await codeOf(logout.logoutGrant('a'.repeat(256)))).toBe('invalid_request');
      expect(await codeOf(login(subject, { grant: 'a'.repeat(256) }))).toBe('invalid_request');
      for (const wrong of [
        () => logout.logoutAll(subject, { client: 1 as never }),
        () => logout.logoutAll(subject, { client: null as never }),
        () => logout.logoutAll(subject, { client: 'tv', lockFor: '1h' }),
        () => logout.logoutAll(subject, { client: 'tv', issuer: FOREIGN }),
        () => logout.logoutGrant(undefined as never),
        () => login(subject, { grant: 1 as never }),
      ]) {
        await expect(wrong()).rejects.toThrow(AuthWiringError);
      }
      expect(await living([old])).toEqual([0]);
    });
  });

  describeOn(serverKinds, 'after a lost answer to COMMIT', (kind) => {
    let database: TestDatabase;
    let proxy: TcpProxy;
    let here: Instance;
    let there: Instance;

    beforeAll(async () => {
      database = await kind.migrated();
      const before = await TcpProxy.before(database);
      ({ proxy } = before);
      here = await startInstance(before.through);
      there = await startInstance(database);
    });

    afterAll(async () => {
      await here?.close();
      await proxy?.close();
      await there?.close();
      await database?.drop();
    });

    it.each([
      ['of the cut-off', 'cut', 0],
      ['of the cut-off', 'swallow answer', 0],
      ['of the sessions', 'cut', 1],
      ['of the sessions', 'swallow answer', 1],
    ] as const)('%s (%s) a second call ends the remaining sessions', async (_, fate, passed) => {
      const grant = randomUUID();
      const logins: LoginResult[] = [];
      for (let count = 0; count < 3; count++) {
        const result = await there.sessions.login(() => ({ subject: randomUUID() }), { grant });
        if (result !== null) logins.push(result);
      }
      let lost: Promise<void> | undefined;
      if (passed === 0) lost = loseCommit(proxy, fate);
      else {
        const store = here.app.get(SessionStore, { strict: false });
        const read = store.read.bind(store);
        jest.spyOn(store, 'read').mockImplementationOnce(async (statement) => {
          const rows = await read(statement);
          lost = loseCommit(proxy, fate);
          return rows;
        });
      }
      expect(await codeOf(here.logout.logoutGrant(grant))).toBe('storage_unavailable');
      await lost;
      await reconnect(proxy, here);
      await here.logout.logoutGrant(grant);
      expect(await alive([there], logins)).toEqual([]);
    });
  });
});
