import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AuthClock } from 'nestjs-logout';
import { randomUUID } from 'node:crypto';
import { DataSource, type QueryRunner } from 'typeorm';
import { describeOn, postgres, type TestDatabase } from '../../support/databases.js';
import { eventually } from '../../support/eventually.js';
import { type Instance, startInstance } from '../../support/instance.js';
import type { Appended, EventDraft, Statement } from '../../support/internals.js';
import {
  claimsIn,
  countLockWaits,
  follow,
  headPosition,
  loseAllAfter,
  readEvents,
} from '../../support/log-tables.js';
import { LogWriter, sessionEnd } from '../../support/log-writer.js';
import { hasPgBouncer, PgBouncer } from '../../support/pgbouncer.js';
import { COMMIT, TcpProxy } from '../../support/tcp-proxy.js';

const DAY = 86_400_000;
const WRITERS = 12;
const WRITES = 5;

describe('W1: a logout in one statement', () => {
  describeOn([postgres], 'the log', () => {
    let database: TestDatabase;
    let watcher: DataSource;
    let holder: QueryRunner;
    const closing: { close(): Promise<unknown> }[] = [];

    beforeEach(async () => {
      database = await postgres.migrated();
      watcher = await new DataSource(database.options).initialize();
      holder = watcher.createQueryRunner();
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      await holder.release();
      for (const each of closing.splice(0).toReversed()) await each.close();
      await watcher.destroy();
      await database.drop();
    });

    const writer = async (): Promise<LogWriter> => {
      const made = await LogWriter.on(database);
      closing.push(made);
      return made;
    };
    const instance = async (on = database): Promise<Instance> => {
      const made = await startInstance(on, { clock: new AuthClock() });
      closing.push(made);
      return made;
    };
    /** How often each form was sent. */
    const forms = async (of: Instance): Promise<() => [one: number, several: number]> => {
      const { database: log } = await of.open();
      const one = jest.spyOn(log, 'transactionOf');
      const several = jest.spyOn(log, 'transaction');
      return () => [one.mock.calls.length, several.mock.calls.length];
    };
    /** What writes in several statements writes, on a connection that commits when the test says so. */
    const hold = async (drafts: readonly EventDraft[]): Promise<Appended> => {
      const body = (await writer()).transactions.append(drafts, false);
      await holder.startTransaction();
      let step = body.next();
      while (step.done !== true) {
        const { sql, values } = step.value;
        const { records, affected } = await holder.query(sql, [...values], true);
        step = body.next({ rows: records ?? [], affected: affected ?? 0 });
      }
      return step.value;
    };
    const waiting = (count: number): Promise<void> =>
      eventually(async () => (await countLockWaits(watcher)) === count);
    const sessionRow = async (token: string): Promise<Record<string, unknown>> => {
      const rows = await watcher.query('SELECT * FROM auth_session WHERE sid = $1', [
        claimsIn(token).sid,
      ]);
      return rows[0];
    };
    const setDefault = (setting: string): Promise<unknown> =>
      watcher.query(
        `DO $$ BEGIN EXECUTE format($q$ALTER DATABASE %I SET ${setting}$q$, current_database()); END $$`,
      );

    it('one statement writes what several statements write: retention, head and order', async () => {
      const one = await writer();
      await watcher.query(`UPDATE auth_head SET max_token_life = ${30 * DAY}`);
      const now = Date.now();
      const token = { kind: 'token' as const, actor: 'Ann "the" O’Neil \\' };
      const drafts: EventDraft[] = [
        sessionEnd('short'),
        { ...sessionEnd('long'), life: 90 * DAY, reason: 'administrator' },
        { ...sessionEnd('alive'), ...token, expiresAt: now + DAY },
        { ...sessionEnd('expired'), ...token, expiresAt: now - DAY },
        { ...sessionEnd('for ever'), ...token, expiresAt: now + 1000 * DAY },
        { ...sessionEnd('without an end'), ...token, life: 3 * DAY },
      ];
      const appended = await one.appendAtOnce(drafts);
      const columns = 'reason, actor, access_only, except_key, kills_below, issued_before';
      const rows = await watcher.query(`SELECT ${columns} FROM auth_event ORDER BY position`);

      expect(
        appended?.events.map(({ position, id, kind, key, until }) => [
          position,
          id,
          kind,
          key,
          until,
        ]),
      ).toEqual(
        (await readEvents(watcher)).map(({ position, id, kind, key, until }) => [
          position,
          id,
          kind,
          key,
          until,
        ]),
      );
      expect(rows).toEqual(
        drafts.map(({ reason, actor }) => ({
          reason,
          actor,
          access_only: 0,
          except_key: null,
          kills_below: null,
          issued_before: null,
        })),
      );
      expect(appended?.head).toMatchObject({ position: 0, lastEventId: null });
      const after = await one.appendAtOnce([sessionEnd('next')]);
      expect(after?.head).toMatchObject({ position: 6, lastEventId: drafts[5]?.id });
      expect(await headPosition(watcher)).toBe(7);
    });

    it('positions are contiguous at every moment beside writers of several statements, such as an older release', async () => {
      const writers = await Promise.all(Array.from({ length: WRITERS }, writer));
      const looks: string[] = [];
      const writing = new AbortController();
      const looking = (async () => {
        while (!writing.signal.aborted) {
          const [row] = await watcher.query(
            `SELECT (SELECT position FROM auth_head) AS head, COUNT(*) AS count, COALESCE(MAX(position), 0) AS top FROM auth_event`,
          );
          looks.push([row.head, row.count, row.top].join(' '));
        }
      })();
      const written = await Promise.all(
        writers.map(async (each, n) => {
          const positions: (number | null | undefined)[] = [];
          for (let i = 0; i < WRITES; i++) {
            const drafts = [sessionEnd(`${n} ${i}`), sessionEnd(`${n} ${i} too`)];
            const appended =
              n % 3 === 0 ? await each.append(drafts) : await each.appendAtOnce(drafts);
            positions.push(...(appended?.events ?? []).map(({ position }) => position));
          }
          return positions;
        }),
      );
      writing.abort();
      await looking;

      const all = WRITERS * WRITES * 2;
      expect(written.flat().toSorted((a, b) => Number(a) - Number(b))).toEqual(
        Array.from({ length: all }, (_, i) => i + 1),
      );
      // Of one writer, who commits one after the other, in the order in which it wrote.
      for (const own of written) expect(own).toEqual(own.toSorted((a, b) => Number(a) - Number(b)));
      expect(looks.filter((seen) => new Set(seen.split(' ')).size !== 1)).toEqual([]);
    });

    it('a logout waits for a writer that has not committed, and is numbered after it', async () => {
      const here = await instance();
      const one = await hold([sessionEnd('one')]);
      const two = here.logout.logoutSession('two');
      await waiting(1);
      expect(await readEvents(watcher)).toEqual([]);
      await holder.commitTransaction();
      expect(one.events).toMatchObject([{ position: 1 }]);
      expect((await two).events).toMatchObject([{ position: 2 }]);
      expect(await headPosition(watcher)).toBe(2);
    });

    it('one statement ends the session, takes effect here at once, and notifies other instances', async () => {
      const [here, there] = [await instance(), await instance()];
      const login = await here.sessions.login(async () => ({ subject: 'alice' }));
      const sent = await forms(here);
      const told: unknown[] = [];
      here.log.commits.subscribe(({ events }) => told.push(...events));
      const receipt = await here.logout.logout(login?.accessToken ?? '', { reason: 'logout' });

      expect(sent()).toEqual([1, 0]);
      expect(receipt.events).toMatchObject([{ kind: 'session', position: 1 }]);
      expect(told).toMatchObject([{ position: 1, id: receipt.events[0]?.id }]);
      expect(await sessionRow(login?.accessToken ?? '')).toMatchObject({ end_reason: 'logout' });
      expect(await here.judge(login?.accessToken ?? '')).toBe('session_ended');
      expect(here.cursor.position).toBe(1);
      await follow(there);
      expect(await there.judge(login?.accessToken ?? '')).toBe('session_ended');
      await expect(there.sessions.refresh(login?.refreshToken ?? '')).rejects.toMatchObject({
        code: 'session_ended',
      });
    });

    it('a logout writes nothing for a session or token that had ended', async () => {
      const here = await instance();
      const iat = Math.floor(Date.now() / 1000);
      const token = {
        iss: 'https://issuer.test',
        sub: 'a',
        jti: randomUUID(),
        iat,
        exp: iat + 300,
      };
      for (const ended of [await here.login(), token]) {
        const before = await headPosition(watcher);
        const first = await here.logout.logout(ended);
        const again = await here.logout.logout(ended);
        expect(again.events).toEqual(first.events);
        expect(await headPosition(watcher)).toBe(before + 1);
      }
    });

    it('a logout assigns no position that was seen: it does nothing, and the log jumps', async () => {
      const here = await instance();
      const tokens = await Promise.all(Array.from({ length: 3 }, () => here.login()));
      const [one = '', two = '', three = ''] = tokens;
      await here.logout.logout(one);
      await here.logout.logout(two);
      await loseAllAfter(here, 1);
      const receipt = await here.logout.logout(three);
      expect(receipt.events[0]?.position).toBeGreaterThan(1_000);
    });

    it('a logout is a repetition if another statement ended the session while it waited for the row', async () => {
      const here = await instance();
      const token = await here.login();
      const draft = sessionEnd(claimsIn(token).sid);
      await hold([draft]);
      const logout = here.logout.logout(token);
      await waiting(1);
      await holder.commitTransaction();
      expect((await logout).events).toMatchObject([{ position: 1, id: draft.id }]);
      expect(await readEvents(watcher)).toHaveLength(1);
    });

    it('a logout that waited for a refresh ends the session that the refresh wrote', async () => {
      const here = await instance();
      const token = await here.login();
      const sent = await forms(here);
      await holder.startTransaction();
      await holder.query('UPDATE auth_session SET last_seen_at = 7');
      const logout = here.logout.logout(token);
      await waiting(1);
      await holder.commitTransaction();
      await logout;
      expect(sent()[0]).toBe(1);
      expect(await sessionRow(token)).toMatchObject({ last_seen_at: '7', end_reason: 'logout' });
      expect(await readEvents(watcher)).toHaveLength(1);
    });

    it('a logout tries again in several statements after a deadlock or a lock that it did not get', async () => {
      const here = await instance();
      const token = await here.login();
      await holder.startTransaction();
      await holder.query('SELECT 1 FROM auth_head FOR UPDATE');
      const logout = here.logout.logout(token);
      await waiting(1);
      // The wrong order: each has what the other waits for. The server ends one of the two.
      await holder.query('UPDATE auth_session SET last_seen_at = 7').catch(() => undefined);
      await holder.rollbackTransaction();
      expect((await logout).events).toMatchObject([{ position: 1 }]);
      expect(await readEvents(watcher)).toHaveLength(1);
    });

    for (const setting of [
      `default_transaction_isolation = 'serializable'`,
      `default_transaction_isolation = 'repeatable read'`,
      `synchronous_commit = 'off'`,
    ]) {
      it(`a logout does nothing under ${setting}, and several statements set their own`, async () => {
        await setDefault(setting);
        const here = await instance();
        const [one, two] = [await here.login(), await here.login()];
        const sent = await forms(here);
        await here.logout.logout(one);
        expect(sent()).toEqual([1, 1]);
        await here.logout.logout(two);
        expect(sent()).toEqual([1, 2]);
        expect((await readEvents(watcher)).map(({ position }) => position)).toEqual([1, 2]);
      });
    }

    it('a logout is in doubt if its answer is lost, and a look that finds nothing proves nothing', async () => {
      const { proxy, through } = await TcpProxy.before(database);
      closing.push(proxy);
      const here = await instance(through);
      const token = await here.login();
      let cuts = 0;
      proxy.watch((bytes) => (COMMIT.test(bytes) && cuts++ === 0 ? 'cut' : 'pass'));
      const { transactions } = await here.open();
      const append = transactions.append.bind(transactions);
      const refused = jest.spyOn(transactions, 'append').mockImplementation(function* (...given) {
        yield* append(...given);
        yield { sql: 'SELECT nothing_of_that_name', values: [] };
        throw new Error('unreachable');
      });
      await expect(here.logout.logout(token)).rejects.toMatchObject({ status: 503 });
      expect(refused).toHaveBeenCalledWith(expect.anything(), true);
      expect(await here.judge(token)).toBe('revocation_state_unknown');
      refused.mockRestore();
      await eventually(async () => (await here.judge(token)) === 'session_ended');
      expect(await readEvents(watcher)).toHaveLength(1);
    });

    it('a logout looks for earlier events in the index, also while the server has no statistics', async () => {
      const one = await writer();
      await watcher.query(
        `INSERT INTO auth_event (position, event_id, kind, event_key, access_only, reason, created_at)
         SELECT -n, decode(md5('id' || n), 'hex'), 'session', decode(md5('key' || n), 'hex'), 0, 'logout', 1
         FROM generate_series(1, 20000) AS n`,
      );
      const sent = jest.spyOn(one.database, 'transactionOf');
      await one.appendAtOnce(Array.from({ length: 64 }, (_, n) => sessionEnd(`${n}`)));
      const [{ sql, values }] = sent.mock.calls[0] as [Statement];
      const rows: Record<string, string>[] = await watcher.query(`EXPLAIN ${sql}`, [...values]);
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).toContain('auth_event_key on auth_event');
      expect(plan).not.toContain('Seq Scan on auth_event');
    });

    const logOutSix = async (here: Instance, between: () => Promise<unknown>): Promise<void> => {
      const tokens = await Promise.all(Array.from({ length: 6 }, () => here.login()));
      const sent = await forms(here);
      for (const token of tokens) {
        await here.logout.logout(token);
        await between();
      }
      expect(sent()).toEqual([6, 0]);
      const positions = (await readEvents(watcher)).map(({ position }) => position);
      expect(positions).toEqual([1, 2, 3, 4, 5, 6]);
    };

    it('a logout works without its plan, for example where a pooler switches the connection', async () => {
      const here = await instance();
      const { database: log } = await here.open();
      await logOutSix(here, () => log.read({ sql: 'DEALLOCATE ALL', values: [] }));
    });

    (hasPgBouncer ? it : it.skip)('works behind PgBouncer', async () => {
      const bouncer = await PgBouncer.before(database);
      closing.push({ close: () => bouncer.stop() });
      await logOutSix(await instance(bouncer.through), async () => undefined);
    });
  });
});
