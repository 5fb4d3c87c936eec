import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import {
  AccountStatements,
  AuthSession,
  InstanceStatements,
  type LogDatabase,
  LogStatements,
  newRefreshRow,
  PendingEvent,
  StatementRepository,
  SessionStatements,
  type Statement,
} from '../../support/internals.js';

/** A busy machine writes so many within the time limit of a transaction. */
const ROWS = 100;
const TRANSACTIONS = 5;
const digest = (): string => randomBytes(16).toString('hex');

/**
 * A column that is selected as text under its own name hides the column itself: an ORDER BY of that name
 * sorts the texts of all rows, and no index helps.
 */
describeOn(databaseKinds, 'the order of rows', (kind) => {
  let database: TestDatabase;
  let instance: Instance;
  let log: LogDatabase;
  const keys = Array.from({ length: 3 }, digest);

  // Statements are explained, not run: one database serves all of it.
  beforeAll(async () => {
    database = await kind.migrated();
    instance = await startInstance(database, { clock: new TestClock() });
    log = (await instance.open()).database;
    const { dialect } = log;
    await log.transaction(function* () {
      yield new AccountStatements(dialect).insertMissing(keys);
    });
    for (let done = 0; done < TRANSACTIONS; done++) {
      await log.transaction(function* () {
        yield new StatementRepository(dialect, PendingEvent).insert()(
          ...Array.from({ length: ROWS }, () => ({ ...PENDING, id: digest(), key: digest() })),
        );
        yield new StatementRepository(dialect, AuthSession).insert()(
          ...Array.from({ length: ROWS }, () => ({
            ...SESSION,
            // As wide as real rows are: the width of a row is part of what a plan costs.
            subject: digest(),
            client: digest(),
            device: digest(),
            ip: digest(),
            userAgent: digest(),
            key: digest(),
            sid: digest(),
            subjectKey: keys[0] as string,
          })),
        );
        // A table of few rows is read whole, whatever its indexes are.
        yield new AccountStatements(dialect).insertMissing(Array.from({ length: ROWS }, digest));
        yield new SessionStatements(dialect).insertRefresh(
          ...Array.from({ length: ROWS }, (_, number) =>
            newRefreshRow(digest() + digest(), digest(), number, 9e12),
          ),
        );
      });
    }
    const analyze = {
      postgres: 'ANALYZE',
      sqlite: 'ANALYZE',
      mysql: 'ANALYZE TABLE auth_pending, auth_session, auth_subject, auth_refresh',
    };
    await instance.dataSource.query(analyze[dialect.name]);
  });

  afterAll(async () => {
    await instance?.close();
    await database?.drop();
  });

  it('the order of a page comes from an index, and no row is sorted as text', async () => {
    const { dialect } = log;
    const statements = new LogStatements(dialect);
    const sessions = new SessionStatements(dialect);
    const paged: Record<string, Statement> = {
      'LogStatements.poll': statements.poll(0, 20, 20),
      'LogStatements.page': statements.page(0, 20, 0, 20),
      'SessionStatements.listByKey': sessions.listByKey('kid', '00'.repeat(16), 0, 20),
      'SessionStatements.pageOpen': sessions.pageOpen(keys[0] as string, undefined, 20),
    };
    // Where the choice is left to the database, it depends on the place.
    for (let place = 0; place < 16; place++) {
      const key = place.toString(16).padEnd(32, '8');
      paged[`SessionStatements.pageOpen, beyond ${key}`] = sessions.pageOpen(
        keys[0] as string,
        { createdAt: 9e12, key },
        20,
      );
    }
    for (const [name, statement] of Object.entries(paged)) {
      expect({ name, sorts: await sortsOf(statement) }).toEqual({ name, sorts: [] });
    }
  });

  it('rows are sorted by columns, not by their texts', async () => {
    const { dialect } = log;
    const sorted: Readonly<Record<string, Statement>> = {
      'LogStatements.listPending': new LogStatements(dialect).listPending(20),
      'AccountStatements.lock': new AccountStatements(dialect).lock(keys),
      'InstanceStatements.list': new InstanceStatements(dialect).list(),
    };
    for (const [name, statement] of Object.entries(sorted)) {
      // PostgreSQL shows what it sorts by; the others resolve the same name to the same text.
      const texts = (await sortsOf(statement)).filter((sort) => sort.includes('encode('));
      expect({ name, texts, order: orderOf(statement) }).toEqual({
        name,
        texts: [],
        order: 'qualified',
      });
    }
  });

  it('the sessions of a grant are found by an index', async () => {
    const sessions = new SessionStatements(log.dialect);
    const { sql, values } = sessions.listByGrant('a', '00'.repeat(16), 9e12, 20);
    // As it is planned without settings: the index finds few rows, and these may be sorted.
    const explain = { postgres: 'EXPLAIN', sqlite: 'EXPLAIN QUERY PLAN', mysql: 'EXPLAIN' };
    const rows: unknown[] = await instance.dataSource.query(
      `${explain[log.dialect.name]} ${sql}`,
      values as unknown[],
    );
    expect(JSON.stringify(rows)).toContain('auth_session_grant');
  });

  it('the pending logout of a refresh token is found by an index', async () => {
    const sessions = new SessionStatements(log.dialect);
    const plan = await planOf(
      sessions.findPresented(
        digest(),
        20,
        Array.from({ length: 20 }, () => digest() + digest()),
      ),
    );
    const pending = plan.filter((line) =>
      /Scan.*auth_pending p\b|(SEARCH|SCAN) p\b|"table":"p"/.test(line),
    );
    expect(pending).toEqual([expect.stringContaining('auth_pending_key')]);
    // The session, its account and its issuer are found by their keys, whatever else is joined.
    const whole =
      /Seq Scan on .*auth_(refresh|session|subject)|\bSCAN [aeirs]\b|"table":"[aeirs]","type":"(ALL|index)"/;
    expect(plan.filter((line) => whole.test(line))).toEqual([]);
  });

  /** Where the plan sorts rows, in the database's own words. */
  async function sortsOf(statement: Statement): Promise<string[]> {
    const plan = await planOf(statement);
    return plan.filter((line) => /Sort Key|filesort|TEMP B-TREE/i.test(line));
  }

  async function planOf({ sql, values }: Statement): Promise<string[]> {
    const { dataSource } = instance;
    if (log.dialect.name === 'postgres') {
      const runner = dataSource.createQueryRunner();
      try {
        // Few rows are cheapest to read whole and sort; the question is whether an index could serve.
        await runner.query('SET enable_seqscan = off');
        await runner.query('SET enable_sort = off');
        // A setting of its own. All sessions are of one account here, so that an index of fewer columns
        // costs the same, and it was chosen now and then, by chance.
        await runner.query('SET enable_incremental_sort = off');
        const rows: Record<string, string>[] = await runner.query(
          `EXPLAIN (VERBOSE) ${sql}`,
          values as unknown[],
        );
        return rows.map((row) => row['QUERY PLAN'] ?? '');
      } finally {
        await runner.query('RESET ALL');
        await runner.release();
      }
    }
    const explain = log.dialect.name === 'sqlite' ? 'EXPLAIN QUERY PLAN' : 'EXPLAIN';
    const rows: Record<string, unknown>[] = await dataSource.query(
      `${explain} ${sql}`,
      values as unknown[],
    );
    return rows.map((row) => JSON.stringify(row));
  }
});

/** `qualified`, or the first column that ORDER BY names without its table. */
function orderOf({ sql }: Statement): string {
  const order = /ORDER BY (.*)/.exec(sql)?.[1];
  if (order === undefined) return 'none';
  return /(?:^|, )([a-z_]+)(?=,| |$)/.exec(order)?.[1] ?? 'qualified';
}

const PENDING: Omit<PendingEvent, 'id' | 'key'> = {
  kind: 'token',
  except: null,
  accessOnly: false,
  expiresAt: 1,
  life: 1,
  skew: 1,
  reason: 'logout',
  actor: null,
};

/** A session that has not ended. */
const SESSION: Omit<
  AuthSession,
  'key' | 'sid' | 'subjectKey' | 'subject' | 'client' | 'device' | 'ip' | 'userAgent'
> = {
  gen: 9e12,
  kid: 'kid',
  delivery: 'body',
  createdAt: 9e12,
  lastSeenAt: 9e12,
  idleUntil: 9e12,
  expiresAt: 9e12,
  endedAt: null,
  endReason: null,
  isPersistent: true,
  grantId: null,
  retriesUntil: null,
  jkt: null,
  network: null,
  authTime: 9e12,
  accessTtl: null,
  idleTtl: null,
};
