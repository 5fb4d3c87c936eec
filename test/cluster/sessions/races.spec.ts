import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { AccountService, type LoginResult } from 'nestjs-logout';
import {
  databaseKinds,
  describeOn,
  postgres,
  serverKinds,
  type TestDatabase,
} from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { RefreshTokenLookup, SessionStore } from '../../support/internals.js';
import { deferred } from '../../support/eventually.js';
import { rounds } from '../../support/rounds.js';
import { ACTS, alive, codeOf, login } from '../../support/session-acts.js';

const ROUNDS = rounds(104, 200);
/** 1,000 rounds in parts: each has the time of a test. */
const PARTS = Array.from({ length: rounds(1, 5) }, (_, part) => part + 1);
const SESSION_ROW = 'SELECT sid FROM auth_session WHERE sid = ';

/** A way to hold a refresh where something else can overtake it. */
const POINTS = [
  'after it looked at its token',
  'while it asks for claims',
  'before it is stored',
] as const;

describe('races with the end of a session', () => {
  describeOn(databaseKinds, 'with barriers', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let there: Instance;
    let claims: () => Promise<Record<string, unknown>>;

    beforeAll(async () => {
      database = await kind.migrated();
      const options = { claims: () => claims() };
      here = await startInstance(database, { options });
      there = await startInstance(database, { options });
    });

    afterEach(() => {
      jest.restoreAllMocks();
    });

    afterAll(async () => {
      await here?.close();
      await there?.close();
      await database?.drop();
    });

    /** Stops `work` at the point, does the act, and lets it go on. */
    const overtake = async <T>(
      point: (typeof POINTS)[number],
      work: () => Promise<T>,
      act: () => Promise<unknown>,
    ): Promise<T> => {
      const arrived = deferred();
      const goOn = deferred();
      const wait = async (): Promise<void> => {
        arrived.resolve();
        await goOn.promise;
      };
      if (point === 'after it looked at its token') {
        const lookup = here.app.get(RefreshTokenLookup, { strict: false });
        const present = lookup.present.bind(lookup);
        jest.spyOn(lookup, 'present').mockImplementationOnce(async (token) => {
          const found = await present(token);
          await wait();
          return found;
        });
      } else if (point === 'while it asks for claims') {
        claims = async () => {
          await wait();
          return {};
        };
      } else {
        const store = here.app.get(SessionStore, { strict: false });
        const write = store.writeAtOnce.bind(store);
        jest.spyOn(store, 'writeAtOnce').mockImplementationOnce((async (given: never) => {
          await wait();
          return write(given);
        }) as typeof store.writeAtOnce);
      }
      const working = work();
      working.catch(() => undefined);
      await arrived.promise;
      await act();
      goOn.resolve();
      return working;
    };

    it('G1: a role that changes while a refresh asks for it is in no valid token', async () => {
      let role = 'admin';
      const subject = randomUUID();
      claims = async () => ({});
      const old = await login(there, subject);
      const arrived = deferred();
      const goOn = deferred();
      claims = async () => {
        const asked = { role };
        arrived.resolve();
        await goOn.promise;
        return asked;
      };
      const refreshing = here.sessions.refresh(old.refreshToken);
      await arrived.promise;
      role = 'user';
      await there.app.get(AccountService).claimsChanged(subject);
      goOn.resolve();
      const demoted = await refreshing;
      for (const instance of [here, there]) {
        const verdict = instance.tokens.verify(demoted.accessToken, { freshness: 'strict' });
        expect(await codeOf(verdict)).toBe('session_ended');
      }
      const next = await there.sessions.refresh(demoted.refreshToken ?? '');
      const { role: given } = await here.tokens.verify(next.accessToken, { freshness: 'strict' });
      expect(given).toBe('user');
    });

    describe.each(Object.keys(ACTS))('%s', (name) => {
      const act = ACTS[name] as (typeof ACTS)[string];

      it.each(POINTS)('the end of the session overtakes a refresh %s', async (point) => {
        claims = async () => ({});
        const subject = randomUUID();
        const old = await login(there, subject);
        const refreshed = await overtake(
          point,
          () => here.sessions.refresh(old.refreshToken).catch(() => null),
          () => act(there, subject, old.accessToken),
        );
        expect(await alive([here, there], [refreshed, old])).toEqual([]);
      });

      it('the end of the session comes after a refresh', async () => {
        claims = async () => ({});
        const subject = randomUUID();
        const old = await login(there, subject);
        const refreshed = await here.sessions.refresh(old.refreshToken);
        await act(there, subject, old.accessToken);
        expect(await alive([here, there], [refreshed, old])).toEqual([]);
      });

      // A logout names a session, and a login that is in flight has none yet.
      if (name === 'logout') return;
      it.each(POINTS.slice(1))('the end of the session overtakes a login %s', async (point) => {
        claims = async () => ({});
        const subject = randomUUID();
        const begun = await overtake(
          point,
          () => login(here, subject).catch(() => null),
          () => act(there, subject, ''),
        );
        expect(await alive([here, there], [begun])).toEqual([]);
      });
    });
  });

  describeOn(serverKinds, 'behind one lock', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let there: Instance;

    beforeAll(async () => {
      database = await kind.migrated();
      here = await startInstance(database);
      there = await startInstance(database);
    });

    afterAll(async () => {
      await here?.close();
      await there?.close();
      await database?.drop();
    });

    /** Both wait for the row of the session, in this order, until it is let go. */
    const queue = async (
      sid: string,
      works: readonly (() => Promise<unknown>)[],
    ): Promise<unknown[]> => {
      const runner = here.dataSource.createQueryRunner();
      await runner.startTransaction();
      await runner.query(`${SESSION_ROW}'${sid}' FOR UPDATE`);
      const running: Promise<unknown>[] = [];
      for (const [index, work] of works.entries()) {
        running.push(work());
        await untilWaiting(index + 1);
      }
      await runner.commitTransaction();
      await runner.release();
      return Promise.all(running);
    };
    /** On this database alone: other tests use the same server. */
    const untilWaiting = async (count: number): Promise<void> => {
      const sql =
        kind.name === 'PostgreSQL'
          ? `SELECT COUNT(*) AS n FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE NOT l.granted AND a.datname = current_database()`
          : `SELECT COUNT(*) AS n FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()`;
      for (;;) {
        const [row] = (await there.dataSource.query(sql)) as { n: string }[];
        if (Number(row?.n) >= count) return;
        // InnoDB shows the old rows to a reader that looks again within a tenth of a second.
        await setTimeout(120);
      }
    };

    it.each([
      ['the refresh first', true],
      ['the logout first', false],
    ])('a refresh and a logout wait for one lock: %s', async (_, refreshFirst) => {
      const old = await login(there, randomUUID());
      let refreshed: LoginResult | null = null;
      const refresh = async (): Promise<string> =>
        codeOf(here.sessions.refresh(old.refreshToken).then((result) => (refreshed = result)));
      const logout = (): Promise<unknown> => there.logout.logout(old.accessToken);
      const order = refreshFirst ? [refresh, logout] : [logout, refresh];
      const results = await queue(old.sessionId, order);
      expect(results[refreshFirst ? 0 : 1]).toBe(refreshFirst ? 'good' : 'session_ended');
      expect(await alive([here, there], [refreshed, old])).toEqual([]);
    });
  });

  describeOn([postgres], `with ${ROUNDS * PARTS.length} interleavings by chance`, (kind) => {
    const seed = Number(process.env['RACE_SEED'] ?? randomBytes(4).readUInt32LE());
    let database: TestDatabase;
    let instances: Instance[];

    beforeAll(async () => {
      database = await kind.migrated();
      instances = [await startInstance(database), await startInstance(database)];
    });

    afterAll(async () => {
      for (const instance of instances) await instance.close();
      await database?.drop();
    });

    it.each(PARTS)(
      `races leave no valid token and report no deadlock (RACE_SEED=${seed}, %i)`,
      async (part) => {
        const random = mulberry32(seed + part);
        const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
        const names = ['logout', 'logoutAll', 'lock', 'passwordChanged'] as const;
        const round = async (): Promise<string[]> => {
          const subject = randomUUID();
          const old = await login(pick(instances), subject);
          const results: (LoginResult | null)[] = [old];
          const act = ACTS[pick(names)] as (typeof ACTS)[string];
          const turns = [0, 0, 0].map(() => Math.floor(random() * 12));
          const on = [0, 0, 0].map(() => pick(instances)) as [Instance, Instance, Instance];
          const after = async (index: number, work: () => Promise<void>): Promise<void> => {
            for (let turn = 0; turn < (turns[index] ?? 0); turn++) await setImmediate();
            await work();
          };
          const refresh = (by: Instance) => async (): Promise<void> => {
            const token = old.refreshToken;
            expect(
              await codeOf(by.sessions.refresh(token).then((result) => results.push(result))),
            ).toMatch(/^(good|session_ended|account_locked)$/);
          };
          await Promise.all([
            after(0, refresh(on[0])),
            after(1, refresh(on[1])),
            after(2, async () => void (await act(on[2], subject, old.accessToken))),
          ]);
          return alive([pick(instances)], results);
        };
        for (let done = 0; done < ROUNDS; done += 8) {
          const found = await Promise.all(Array.from({ length: 8 }, round));
          expect(found.flat()).toEqual([]);
        }
      },
    );

    it('the session in which the password was changed stays open', async () => {
      const [here, there] = instances as [Instance, Instance];
      for (let i = 0; i < 50; i++) {
        const subject = randomUUID();
        const [kept, other] = [await login(here, subject), await login(there, subject)];
        const [refreshed] = await Promise.all([
          there.sessions.refresh(kept.refreshToken),
          here.app.get(AccountService).passwordChanged(subject, { keepSession: kept.sessionId }),
          codeOf(here.sessions.refresh(other.refreshToken)),
        ]);
        expect(await codeOf(there.tokens.verify(refreshed.accessToken))).toBe('good');
        expect(await codeOf(here.sessions.refresh(refreshed.refreshToken ?? ''))).toBe('good');
        expect(await alive([here], [other])).toEqual([]);
      }
    });
  });
});

/** The same numbers for the same seed. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
