import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { SessionPage } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { type Row, SessionStore, type Statement } from '../../support/internals.js';
import { codeOf, login } from '../../support/session-acts.js';

describeOn(databaseKinds, 'a list of sessions', (kind) => {
  let database: TestDatabase;
  let clock: TestClock;
  let here: Instance;

  beforeEach(async () => {
    database = await kind.migrated();
    clock = new TestClock();
    here = await startInstance(database, { clock, options: { maxSessions: false } });
  });

  afterEach(async () => {
    await here.close();
    await database.drop();
  });

  const idsOf = (page: SessionPage): string[] => page.map(({ id }) => id);

  /** Logins of alice, the newest first; every second one in the same millisecond as the one before. */
  const logins = async (count: number): Promise<string[]> => {
    const ids: string[] = [];
    for (let i = 0; i < count; i++) {
      if (i % 2 === 0) clock.advance(1_000);
      ids.unshift((await login(here, 'alice')).sessionId);
    }
    return ids;
  };

  /** All pages, one after the other. */
  const pages = async (limit: number, most = 20): Promise<SessionPage[]> => {
    const found: SessionPage[] = [];
    for (let after: string | undefined; found.length < most;) {
      const page = await here.sessions.list('alice', { limit, after });
      found.push(page);
      after = page.next;
      if (after === undefined) return found;
    }
    throw new Error(`The list of alice's sessions has no end: ${most} pages of ${limit}.`);
  };

  it('the list returns every session once, the newest first, in pages', async () => {
    const ids = await logins(7);
    await login(here, 'bob');
    const found = await pages(3);
    expect(found.map(({ length }) => length)).toEqual([3, 3, 1]);
    expect(found.flatMap(idsOf).toSorted()).toEqual(ids.toSorted());
    const times = found.flat().map(({ createdAt }) => createdAt.getTime());
    expect(times).toEqual(times.toSorted((a, b) => b - a));
  });

  it('the list continues after a session that has ended in the meantime', async () => {
    const ids = await logins(6);
    const first = await here.sessions.list('alice', { limit: 3 });
    const last = first[2]?.id ?? '';
    await here.logout.logoutSession(last);
    await here.dataSource.query(`DELETE FROM auth_session WHERE sid = '${last}'`);
    const second = await here.sessions.list('alice', { limit: 3, after: first.next });
    expect([...idsOf(first), ...idsOf(second)].toSorted()).toEqual(ids.toSorted());
  });

  it('the list shows a session that a cut-off spares, behind many that it ended', async () => {
    const kept = await login(here, 'alice');
    await logins(60);
    await here.logout.logoutOthers(kept.accessToken);
    const found = await pages(10);
    expect(found.flatMap(idsOf)).toEqual([kept.sessionId]);
  });

  it('the list refuses invalid limits and cursors', async () => {
    for (const limit of [0, -1, 1.5, NaN, 1_001, Infinity]) {
      expect(await codeOf(here.sessions.list('alice', { limit }))).toBe('invalid_request');
    }
    const far = Buffer.alloc(24, 255).toString('base64url');
    for (const after of ['', 'x', far, `${far}A`, "' OR 1 = 1 --                   "]) {
      expect(await codeOf(here.sessions.list('alice', { after }))).toBe('invalid_request');
    }
  });

  it('the list reads no more rows than a page needs, whether or not it finds sessions', async () => {
    await login(here, 'alice');
    await copySession(here, 2_500);
    const rows = countRows(here);
    expect(await here.sessions.list('alice', { limit: 20 })).toHaveLength(20);
    expect(rows()).toBeLessThanOrEqual(60);
    expect(await here.sessions.isOpen('alice', 'somebody')).toBe(false);
    expect(rows()).toBeLessThanOrEqual(2);
    // All of them are over; a page that nothing fills still ends, and says how to go on.
    await here.logout.logoutAll('alice');
    const page = await here.sessions.list('alice', { limit: 20 });
    expect(rows()).toBeLessThanOrEqual(2_060);
    expect(page).toHaveLength(0);
    expect(page.next).toEqual(expect.any(String));
    expect((await pages(20)).flat()).toEqual([]);
  });

  it('the list shows only the account’s own sessions that have not ended', async () => {
    const [own, over, other] = [
      await login(here, 'alice'),
      await login(here, 'alice'),
      await login(here, 'bob'),
    ];
    await here.logout.logout(over.accessToken);
    const isOpen = (id: string): Promise<boolean> => here.sessions.isOpen('alice', id);
    expect(await isOpen(own.sessionId)).toBe(true);
    expect(await isOpen(over.sessionId)).toBe(false);
    expect(await isOpen(other.sessionId)).toBe(false);
    await here.logout.logoutAll('alice');
    expect(await isOpen(own.sessionId)).toBe(false);
    const later = await login(here, 'alice');
    expect(await isOpen(later.sessionId)).toBe(true);
    clock.advance(31 * 86_400_000);
    expect(await isOpen(later.sessionId)).toBe(false);
  });
});

/**
 * Copies the one session so often, each with its own key and a millisecond after the one before.
 */
async function copySession(here: Instance, count: number): Promise<void> {
  const { database } = await here.open();
  const { dialect } = database;
  const [row] = (await here.dataSource.query('SELECT * FROM auth_session')) as Record<
    string,
    unknown
  >[];
  const columns = Object.keys(row ?? {});
  const kept = columns.filter((name) => !['session_key', 'sid', 'created_at'].includes(name));
  const number = {
    postgres: `SELECT generate_series(1, ${count}) AS n`,
    mysql: `SELECT seq AS n FROM seq_1_to_${count}`,
    sqlite: `WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ${count}) SELECT n FROM s`,
  }[dialect.name];
  const key = {
    postgres: `decode(md5('copy' || n), 'hex')`,
    mysql: `UNHEX(MD5(CONCAT('copy', n)))`,
    sqlite: `CAST(substr('copy' || n || '________________', 1, 16) AS BLOB)`,
  }[dialect.name];
  const sid = dialect.name === 'mysql' ? `CONCAT('copy', n)` : `'copy' || n`;
  await here.dataSource.query(
    `INSERT INTO auth_session (session_key, sid, created_at, ${kept.join(', ')}) ` +
      `SELECT ${key}, ${sid}, o.created_at + n, ${kept.map((name) => `o.${name}`).join(', ')} ` +
      `FROM auth_session o, (${number}) numbers`,
  );
}

/**
 * Counts the rows that transactions on sessions read; each call returns those since the one before.
 */
function countRows(here: Instance): () => number {
  const store = here.app.get(SessionStore, { strict: false });
  const write = store.write.bind(store);
  let count = 0;
  store.write = (body) =>
    write(function* (of) {
      const inner = body(of);
      let step = inner.next();
      while (step.done !== true) {
        const result = (yield step.value as Statement) as {
          rows: readonly Row[];
          affected: number;
        };
        count += result.rows.length;
        step = inner.next(result);
      }
      return step.value;
    });
  return () => {
    const counted = count;
    count = 0;
    return counted;
  };
}
