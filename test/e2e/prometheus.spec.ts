import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { Registry } from 'prom-client';
import { DataSource } from 'typeorm';
import { AuthModule, AuthWiringError } from 'nestjs-logout';
import { AuthPrometheusModule } from 'nestjs-logout/prometheus';
import { refuseToNumber } from '../support/unnumberable.js';
import { eventually } from '../support/eventually.js';
import {
  databaseKinds,
  describeOn,
  serverKinds,
  sqlite,
  type TestDatabase,
} from '../support/databases.js';
import { RevocationFeed, RevocationPurge } from '../support/internals.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { startWatched, type WatchedApp } from '../support/watched-app.js';

const HOUR = 3_600_000;

describeOn(databaseKinds, 'the metrics', (kind) => {
  // The platform serves the scrape alone, and does not know the database.
  const platforms = kind === sqlite ? (['express', 'fastify'] as const) : (['express'] as const);
  describe.each(platforms)('on %s', (platform) => {
    let database: TestDatabase;
    let here: WatchedApp;

    beforeEach(async () => {
      database = await kind.migrated();
      here = await startWatched(platform, database.options);
    });

    afterEach(async () => {
      await here?.close();
      await database?.drop();
    });

    it('the metrics show the state of an instance', async () => {
      const { scrape, login, logout } = here;
      await logout.logout(await login());
      await logout.logoutAll('bob');
      const metrics = await scrape();
      expect(metrics.value('ready')).toBe(1);
      expect(metrics.value('position')).toBe(await headOf(database));
      expect(metrics.value('lag')).toBe(0);
      expect(metrics.value('lease_seconds')).toBe(4.9);
      expect(metrics.value('bound_seconds')).toBe(5);
      expect(metrics.value('staleness_seconds')).toBeLessThan(4.9);
      expect(metrics.value('index_entries{kind="session"}')).toBe(1);
      expect(metrics.value('index_entries{kind="subject"}')).toBe(1);
      expect(metrics.value('index_entries{kind="token"}')).toBe(0);
      expect(metrics.value('index_bytes')).toBeGreaterThan(0);
      expect(metrics.value('unsettled_writes')).toBe(0);
      expect(metrics.value('following')).toBe(1);
      expect(metrics.value('contradicted')).toBe(0);
      expect(metrics.value('hint_state{state="off"}')).toBe(1);
      expect(metrics.value('hint_state{state="polling only"}')).toBe(0);
      expect(metrics.value('policies_in_force{policy="observe"}')).toBe(0);
      expect(metrics.text).toMatch(
        /^nestjs_logout_build_info\{version="\d+\.\d+\.\d+",format="\d+"\} 1$/m,
      );
    });

    it('the metrics count each refusal once, and no accepted request', async () => {
      const { client, scrape, login, logout, sessions } = here;
      const token = await login();
      const refusals = async (code: string): Promise<number | undefined> =>
        (await scrape()).value(`refusals_total{code="${code}"}`);
      const before = (await scrape()).series.filter((one) => one.includes('refusals_total'));
      expect((await client.send('GET /me', { token })).status).toBe(200);
      await logout.logout(token);
      for (let times = 0; times < 3; times++) {
        expect((await client.send('GET /me', { token })).status).toBe(401);
      }
      expect((await client.send('GET /me')).status).toBe(401);
      await expect(sessions.refresh('A'.repeat(43))).rejects.toThrow('not valid');
      expect(await sessions.login(async () => null)).toBeNull();
      expect(await refusals('session_ended')).toBe(3);
      expect(await refusals('token_missing')).toBe(1);
      expect(await refusals('refresh_token_invalid')).toBe(1);
      expect(await refusals('credentials_invalid')).toBe(1);
      expect(await refusals('token_expired')).toBe(0);
      const after = (await scrape()).series.filter((one) => one.includes('refusals_total'));
      expect(after).toHaveLength(before.length + 1);
    });

    it('the metrics count logouts and the transactions that they shared', async () => {
      const { scrape, login, logout } = here;
      const tokens = await Promise.all(Array.from({ length: 20 }, () => login()));
      await Promise.all(tokens.map((token) => logout.logout(token)));
      await logout.logoutAll('alice');
      const metrics = await scrape();
      expect(metrics.value('revocations_total{scope="session"}')).toBe(20);
      expect(metrics.value('revocations_total{scope="subject"}')).toBe(1);
      expect(metrics.value('batches_total{kind="shared"}')).toBeLessThan(20);
      expect(metrics.value('batches_total{kind="account"}')).toBe(1);
      expect(metrics.value('revocation_failures_total{scope="session"}')).toBe(0);
    });

    it('the metrics count polls and their duration', async () => {
      const feed = here.app.get(RevocationFeed, { strict: false });
      for (let times = 0; times < 3; times++) await feed.strictProof(60_000);
      await eventually(async () => {
        const metrics = await here.scrape();
        const polls = metrics.value('polls_total{outcome="ok"}') ?? 0;
        if (polls < 3) return false;
        expect(metrics.value('poll_duration_seconds_count')).toBe(polls);
        expect(metrics.value('poll_duration_seconds_bucket{le="+Inf"}')).toBe(polls);
        expect(metrics.value('loads_total{cause="start"}')).toBe(1);
        return true;
      });
    });

    it('the metrics count purged rows, and purges that another instance made unnecessary', async () => {
      const { app, scrape, login, logout } = here;
      for (let times = 0; times < 3; times++) await logout.logout(await login());
      const past = Date.now() - 2 * HOUR;
      let rows = 0;
      await onDatabase(database, async (sql) => {
        await sql.query(`UPDATE auth_event SET created_at = ${past}, keep_until = ${past}`);
        rows = ((await sql.query('SELECT position FROM auth_event')) as unknown[]).length;
      });
      const purge = app.get(RevocationPurge, { strict: false });
      await Promise.all([purge.purge(), purge.purge()]);
      const metrics = await scrape();
      expect(metrics.value('purged_rows_total{table="log"}')).toBe(rows - 1);
      const runs = ['done', 'elsewhere'].map((outcome) =>
        metrics.value(`purges_total{outcome="${outcome}"}`),
      );
      expect(runs.reduce((sum = 0, one = 0) => sum + one, 0)).toBe(2);
      expect(metrics.value('purges_total{outcome="failed"}')).toBe(0);
    });

    it('the metrics show a fork, and how many events it lost', async () => {
      const { scrape, login, logout } = here;
      for (let times = 0; times < 3; times++) await logout.logout(await login());
      await eventually(async () => (await scrape()).value('lag') === 0);
      const jumps = (await scrape()).value('jumps_total') ?? 0;
      await onDatabase(database, async (sql) => {
        const rows = (await sql.query(
          'SELECT position, event_id FROM auth_event ORDER BY position DESC',
        )) as { position: unknown; event_id: unknown }[];
        const { position, event_id: id } = rows[2] ?? {};
        await sql.query(`DELETE FROM auth_event WHERE position > ${Number(position)}`);
        const value = sql.options.type === 'postgres' ? '$1' : '?';
        await sql.query(
          `UPDATE auth_head SET position = ${Number(position)}, last_event_id = ${value}`,
          [id],
        );
      });
      await eventually(async () => (await scrape()).value('forks_total') === 1);
      const metrics = await scrape();
      expect(metrics.value('events_lost')).toBe(2);
      expect(metrics.value('loads_total{cause="fork"}')).toBe(1);
      expect(metrics.value('index_entries{kind="session"}')).toBe(3);
      // Later events are numbered above every position that the lost history may have handed out.
      await logout.logout(await login());
      expect((await scrape()).value('jumps_total')).toBe(jumps + 1);
    });
  });
});

describeOn(serverKinds, 'the metrics of an instance whose database is away', (kind) => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let here: WatchedApp;

  beforeEach(async () => {
    database = await kind.migrated();
    const before = await TcpProxy.before(database);
    proxy = before.proxy;
    const options = { maxStaleness: 1, staleWait: 0, bootTimeout: 0 } as const;
    proxy.refuse();
    here = await startWatched('express', before.through.options, { options });
  });

  afterEach(async () => {
    await here?.close();
    await proxy?.close();
    await database?.drop();
  });

  it('the metrics show an instance without its database: not ready, then stale, with failed polls, 503s and failed logouts', async () => {
    const { client, scrape, login, logout } = here;
    const first = await scrape();
    expect(first.value('ready')).toBe(0);
    expect(first.value('staleness_seconds')).toBe(Infinity);

    proxy.admit();
    await eventually(async () => (await scrape()).value('ready') === 1);
    const [token, other, third] = [await login(), await login(), await login()];
    const polls = (await scrape()).value('polls_total{outcome="failed"}') ?? 0;

    proxy.refuse();
    await eventually(async () => (await client.send('GET /me', { token })).status === 503);
    // One batch fails for both of them; each caller is refused, and counted.
    const failed = [other, third].map((one) => logout.logout(one));
    for (const each of failed) await expect(each).rejects.toThrow(/Try again/);
    const metrics = await scrape();
    expect(metrics.value('ready')).toBe(1);
    expect(metrics.value('staleness_seconds')).toBeGreaterThan(metrics.value('lease_seconds') ?? 0);
    expect(metrics.value('polls_total{outcome="failed"}')).toBeGreaterThan(polls);
    expect(metrics.value('unavailable_total{code="revocation_state_unknown"}')).toBe(1);
    expect(metrics.value('unavailable_total{code="storage_unavailable"}')).toBe(2);
    expect(metrics.value('revocation_failures_total{scope="session"}')).toBe(2);
    expect(metrics.value('revocations_total{scope="session"}')).toBe(0);
  });
});

describe('a pending revocation that cannot be numbered', () => {
  it('the metrics show a pending revocation that cannot be numbered', async () => {
    const database = await sqlite.migrated();
    const here = await startWatched('express', database.options, { viaTypeOrm: true });
    try {
      const dataSource = here.app.get(DataSource);
      await refuseToNumber(dataSource);
      await dataSource.transaction((manager) => here.logout.logoutAll('alice', { manager }));
      await eventually(async () => (await here.scrape()).value('pending_unnumbered') === 1);
      expect((await here.scrape()).value('index_entries{kind="subject"}')).toBe(1);
    } finally {
      await here.close();
      await database.drop();
    }
  });
});

describe('AuthPrometheusModule', () => {
  const auth = (database: TestDatabase) =>
    AuthModule.forRoot({
      secret: 'a secret of the tests: 32 bytes or more',
      issuer: 'https://issuer.test',
      audience: 'https://audience.test',
      migrations: 'run',
      dataSource: database.options,
      isGlobal: false,
    });

  it('AuthPrometheusModule without AuthModule is an error that says so', async () => {
    const module = await Test.createTestingModule({
      imports: [AuthPrometheusModule.forRoot({ registry: new Registry() })],
    }).compile();
    await expect(module.init()).rejects.toThrow(/application without AuthModule/);
  });

  it('AuthPrometheusModule refuses a used name, removes its own, and works beside another with a prefix', async () => {
    const database = await sqlite.migrated();
    const registry = new Registry();
    const start = async (prefix?: string) => {
      const module = await Test.createTestingModule({
        imports: [auth(database), AuthPrometheusModule.forRoot({ registry, prefix })],
      }).compile();
      return module.init();
    };
    const one = await start();
    try {
      await expect(start()).rejects.toThrow(AuthWiringError);
      const other = await start('other_');
      expect(await registry.metrics()).toMatch(/^other_ready 1$/m);
      await other.close();
      expect(await registry.metrics()).not.toMatch(/^other_/m);
      expect(await registry.metrics()).toMatch(/^nestjs_logout_ready 1$/m);
    } finally {
      await one.close();
      await database.drop();
    }
    expect(await registry.metrics()).not.toContain('nestjs_logout_');
  });
});

async function headOf(database: TestDatabase): Promise<number> {
  let position = NaN;
  await onDatabase(database, async (sql) => {
    const rows = (await sql.query('SELECT position FROM auth_head')) as { position: unknown }[];
    position = Number(rows[0]?.position);
  });
  return position;
}

async function onDatabase(
  database: TestDatabase,
  body: (sql: DataSource) => Promise<unknown>,
): Promise<void> {
  const sql = await new DataSource(database.options).initialize();
  try {
    await body(sql);
  } finally {
    await sql.destroy();
  }
}
