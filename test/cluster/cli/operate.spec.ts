import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ApiTokenService, AuthClock } from 'nestjs-logout';
import { DataSource } from 'typeorm';
import { readFileSync } from 'node:fs';
import { databaseKinds, describeOn, sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, type InstanceSettings, startInstance } from '../../support/instance.js';
import { RELEASE, SUPPORTED_FORMAT } from '../../support/internals.js';
import { findingsOf, makeTables, run, runJson } from '../../support/command.js';

interface Status {
  readonly maxStaleness: number;
  readonly maxTokenLife: number;
  readonly instances: readonly { readonly label: string; readonly seenAgo: number }[];
}

/** Timers fire at once, and the time that they were set for has passed. */
class HastyClock extends AuthClock {
  private passed = 0;

  override monotonic(): number {
    return this.passed;
  }

  override schedule(delay: number, task: () => void): () => void {
    this.passed += delay;
    setImmediate(task);
    return () => undefined;
  }
}

describe('nestjs-logout', () => {
  let database: TestDatabase;
  let admin: DataSource | undefined;
  const instances: Instance[] = [];

  const start = async (options: InstanceSettings['options'] = {}): Promise<Instance> => {
    const instance = await startInstance(database, { options });
    instances.push(instance);
    return instance;
  };
  const stop = async (instance: Instance): Promise<void> => {
    instances.splice(instances.indexOf(instance), 1);
    await instance.close();
  };
  const query = async (sql: string): Promise<Record<string, unknown>[]> => {
    admin ??= await new DataSource(database.options).initialize();
    return admin.query(sql) as Promise<Record<string, unknown>[]>;
  };

  afterEach(async () => {
    for (const instance of instances.splice(0)) await instance.close();
    await admin?.destroy();
    admin = undefined;
    await database?.drop();
  });

  describeOn(databaseKinds, 'status', (kind) => {
    beforeEach(async () => {
      database = await kind.migrated();
    });

    it('status shows the position of the log, what is registered, and which instances follow it', async () => {
      const here = await start({ maxStaleness: 30 });
      await start();
      await here.login('alice');
      await here.logout.logoutSession('one');
      await here.logout.logoutSession('two');
      const status = await runJson<Status>(database, 'status');
      expect(status).toMatchObject({
        code: 0,
        format: 1,
        position: 2,
        events: 2,
        pending: 0,
        sessions: 1,
        purgedThrough: 0,
        maxStaleness: 30,
        maxTokenLife: 900,
        maxStalenessBy: expect.stringMatching(`:${process.pid}$`),
        instances: [
          { issuer: 'https://issuer.test', release: RELEASE, format: SUPPORTED_FORMAT },
          { issuer: 'https://issuer.test', release: RELEASE, format: SUPPORTED_FORMAT },
        ],
      });
      const { stdout } = await run(database, 'status');
      expect(stdout).toMatch(/max staleness {3}30 s, raised by .*\n/);
      expect(stdout.match(/release/g)).toHaveLength(2);
    });

    it('status lists an instance until it shuts down or has not been seen for a day', async () => {
      const here = await start();
      await here.purge.renewPresence();
      expect((await runJson<Status>(database, 'status')).instances).toHaveLength(1);
      await query('UPDATE auth_instance SET seen_at = seen_at - 600000');
      const [old] = (await runJson<Status>(database, 'status')).instances;
      expect(old?.seenAgo).toBeGreaterThanOrEqual(600);
      await here.purge.renewPresence();
      const [renewed] = (await runJson<Status>(database, 'status')).instances;
      expect(renewed?.seenAgo).toBeLessThan(60);
      const other = await start();
      await query('UPDATE auth_instance SET seen_at = seen_at - 90000000');
      await other.purge.renewPresence(); // the other one forgets the first one, which comes back
      expect((await runJson<Status>(database, 'status')).instances).toHaveLength(1);
      await here.purge.renewPresence();
      expect((await runJson<Status>(database, 'status')).instances).toHaveLength(2);
      await stop(here);
      await stop(other);
      expect((await runJson<Status>(database, 'status')).instances).toEqual([]);
    });
  });

  describeOn(databaseKinds, 'purge', (kind) => {
    beforeEach(async () => {
      database = await kind.migrated();
    });

    it('purge deletes what has expired, and ended logins only with the option that says how long to keep them', async () => {
      const here = await start();
      for (const subject of ['alice', 'bob']) await here.logout.logout(await here.login(subject));
      await here.logout.logoutSession('last');
      const days = 40 * 86_400_000;
      await query(
        `UPDATE auth_event SET created_at = created_at - ${days}, keep_until = keep_until - ${days}`,
      );
      await query(`UPDATE auth_session SET ended_at = ended_at - ${days}`);
      expect(await runJson(database, 'purge')).toMatchObject({ code: 0, deleted: 2, busy: false });
      expect(await query('SELECT sid FROM auth_session')).toHaveLength(2);
      const { code, stdout, stderr } = await run(database, 'purge --history-for 30d');
      expect([code, stdout]).toEqual([0, '2 rows deleted.\n']);
      expect(stderr).toContain('Purging what has expired');
      expect(await query('SELECT sid FROM auth_session')).toEqual([]);
    });

    it('purge ends the rows of API tokens before it deletes the cut-off that revoked them', async () => {
      const here = await start({ apiTokens: true });
      const tokens = here.app.get(ApiTokenService);
      const [revoked, kept] = [
        await tokens.issue('bob', { name: 'revoked' }),
        await tokens.issue('alice', { name: 'kept' }),
      ];
      await here.logout.logoutAll('bob');
      await here.logout.logoutSession('last');
      await stop(here);
      const days = 40 * 86_400_000;
      await query(
        `UPDATE auth_event SET created_at = created_at - ${days}, keep_until = keep_until - ${days}`,
      );
      await query(`UPDATE auth_subject SET marked_at = marked_at - ${days} WHERE marked_at > 0`);
      const ended = async (): Promise<unknown[]> =>
        (await query(`SELECT subject, end_reason FROM auth_api_token WHERE ended_at > 0`)).map(
          ({ subject, end_reason }) => [subject, end_reason],
        );
      expect(await runJson(database, 'purge')).toMatchObject({ code: 0 });
      expect(await ended()).toEqual([['bob', 'logged_out_elsewhere']]);
      await query('UPDATE auth_api_token SET ended_at = NULL, end_reason = NULL');
      expect(await runJson(database, 'purge --history-for 30d')).toMatchObject({ code: 0 });
      expect(await query('SELECT * FROM auth_subject WHERE marked_at > 0')).toEqual([]);
      expect(await ended()).toEqual([['bob', 'logged_out_elsewhere']]);
      const again = await start({ apiTokens: true });
      expect([await again.judge(revoked.token), await again.judge(kept.token)]).toEqual([
        'token_revoked',
        'active',
      ]);
    });

    it('purge does nothing while an instance is purging', async () => {
      await makeTables(database);
      await query(`UPDATE auth_head SET purge_claimed_until = ${Date.now() + 60_000}`);
      expect(await runJson(database, 'purge')).toMatchObject({ code: 0, deleted: 0, busy: true });
    });
  });

  describeOn(databaseKinds, 'migrate', (kind) => {
    beforeEach(async () => {
      database = await kind.create();
      await query('SELECT 1');
    });

    it('migrate creates the tables once, and every other command asks for it before that', async () => {
      const before = await run(database, 'status');
      expect(before.code).toBe(1);
      expect(before.stderr).toMatch(/lacks these tables[^]*nestjs-logout doctor/);
      const [one, two] = [await runJson(database, 'migrate'), await runJson(database, 'migrate')];
      expect(one).toMatchObject({ code: 0, madeAgain: [] });
      expect(two).toEqual(one);
      expect((await run(database, 'status')).code).toBe(0);
    });

    it('migrate --print prints the SQL of the tables and changes nothing', async () => {
      const { code, statements } = await runJson<{ statements: string[] }>(
        database,
        'migrate --print',
      );
      expect(code).toBe(0);
      expect((await run(database, 'status')).code).toBe(1);
      for (const sql of statements) await query(sql);
      expect(await findingsOf(database)).toEqual([]);
    });
  });

  describeOn(databaseKinds, 'lower-bound', (kind) => {
    beforeEach(async () => {
      database = await kind.migrated();
    });

    const registered = async (): Promise<unknown[]> => {
      const { maxStaleness, maxTokenLife } = await runJson<Status>(database, 'status');
      return [maxStaleness, maxTokenLife];
    };

    it('lower-bound refuses while an instance with a higher bound runs, and names it', async () => {
      await start({ maxStaleness: 30 });
      const { code, stderr } = await run(database, 'lower-bound --max-staleness 5 --wait');
      expect(code).toBe(1);
      expect(stderr).toMatch(new RegExp(`up to 30 s: .*:${process.pid} \\(seen`));
      expect(await registered()).toEqual([30, 900]);
    });

    it('lower-bound reports how long to wait after that instance stopped, and then lowers the bound', async () => {
      await stop(await start({ maxStaleness: 30, accessTokenTtl: '1h' }));
      await start();
      const bound = 'lower-bound --max-staleness 5 --max-token-life 15m';
      const asked = await run(database, bound);
      expect(asked.code).toBe(1);
      expect(asked.stderr).toMatch(/gone for 60 min[^]*--stopped-at 20[^]*--wait/);
      const minute = new Date(Date.now() - 60_000).toISOString();
      const early = await run(database, `${bound} --stopped-at ${minute}`);
      expect(early.code).toBe(1);
      expect(early.stderr).toMatch(/too early\. Wait until 20/);
      expect(await registered()).toEqual([30, 3600]);
      const hours = new Date(Date.now() - 2 * 3_600_000).toISOString();
      expect((await run(database, `${bound} --stopped-at ${hours}`)).code).toBe(0);
      expect(await registered()).toEqual([5, 900]);
      const [head] = await query('SELECT max_staleness_by FROM auth_head');
      expect(head?.['max_staleness_by']).toMatch(/^lower-bound on /);
    });

    it('lower-bound --wait waits for one old bound and checks again', async () => {
      await stop(await start({ maxStaleness: 30 }));
      const clock = new HastyClock();
      const { code, stderr } = await run(database, 'lower-bound --max-staleness 5 --wait', {
        clock,
      });
      expect(stderr).toContain('Waiting for 31 s');
      expect(code).toBe(0);
      expect(clock.monotonic()).toBeGreaterThanOrEqual(30_000);
      expect(await registered()).toEqual([5, 900]);
    });

    it('lower-bound does not trust a time before an instance was last seen', async () => {
      await start({ maxStaleness: 30 });
      await query('UPDATE auth_instance SET seen_at = seen_at - 600000'); // it ended without a word
      const hours = new Date(Date.now() - 2 * 3_600_000).toISOString();
      const { code, stderr } = await run(
        database,
        `lower-bound --max-staleness 5 --stopped-at ${hours}`,
      );
      expect(code).toBe(1);
      expect(stderr).toContain('These instances were seen later');
    });

    it('a bound that was lowered too far under a running instance is raised again by its next poll', async () => {
      const here = await start({ maxStaleness: 30 });
      await query('UPDATE auth_instance SET seen_at = seen_at - 600000');
      await query('UPDATE auth_head SET max_staleness = 5000');
      expect(await here.feed.strictProof(60_000)).toBe(true);
      expect(await registered()).toEqual([30, 900]);
      expect((await runJson<Status>(database, 'status')).instances[0]?.seenAgo).toBeLessThan(60);
    });
  });

  describeOn([sqlite], 'a path', () => {
    it('a path that does not exist creates no empty database', async () => {
      database = await sqlite.create();
      const { code, stderr } = await run(database, 'status');
      expect(stderr).toMatch(/There is no file .*test\.sqlite/);
      expect(code).toBe(1);
    });
  });

  it('an instance registers the version of its package', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(RELEASE).toBe(version);
  });
});
