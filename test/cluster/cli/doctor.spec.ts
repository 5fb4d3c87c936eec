import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource, type DataSourceOptions } from 'typeorm';
import {
  type DatabaseKind,
  describeOn,
  mariadb,
  postgres,
  sqlite,
  type TestDatabase,
} from '../../support/databases.js';
import { type Instance, type InstanceSettings, startInstance } from '../../support/instance.js';
import { DurablePostgres } from '../../support/durable-postgres.js';
import { LogStatements, newEventId } from '../../support/internals.js';
import { hasPgBouncer, PgBouncer } from '../../support/pgbouncer.js';
import { WrongHost } from '../../support/wrong-host.js';
import { makeTables, run, runJson, type RunSettings } from '../../support/command.js';

const HOUR = 3_600_000;
/** The server that tests share has fsync off, which is a finding. */
const durable = new DurablePostgres();

interface Report {
  readonly ok: boolean;
  readonly findings: readonly {
    readonly check: string;
    readonly level: string;
    readonly what: string;
    readonly fixes: readonly string[];
  }[];
  readonly skipped: readonly { readonly check: string; readonly why: string }[];
}

describe('nestjs-logout doctor', () => {
  let database: TestDatabase;
  let admin: DataSource;
  const instances: Instance[] = [];

  const prepare = async (kind: DatabaseKind): Promise<void> => {
    database = await kind.create();
    await makeTables(database);
    admin = await new DataSource(database.options).initialize();
  };
  const start = async (settings: InstanceSettings = {}): Promise<Instance> => {
    const instance = await startInstance(database, settings);
    instances.push(instance);
    return instance;
  };
  const query = (sql: string): Promise<unknown> => admin.query(sql);
  const examine = (settings?: RunSettings, on = database): Promise<Report & { code: number }> =>
    runJson<Report>(on, 'doctor', settings);

  /** That this one mistake is named, with a fix, and nothing else is. */
  const expectOnly = (
    { code, findings }: Report & { code: number },
    check: string,
    what: RegExp,
    fix: RegExp,
  ): void => {
    expect(findings.map((finding) => [finding.check, finding.level])).toEqual([[check, 'wrong']]);
    expect(findings[0]?.what).toMatch(what);
    expect(findings[0]?.fixes.join('\n')).toMatch(fix);
    expect(code).toBe(1);
  };

  afterEach(async () => {
    for (const instance of instances.splice(0)) await instance.close();
    if (admin?.isInitialized) await admin.destroy();
    await database?.drop();
  });

  afterAll(() => durable.stop());

  describeOn([sqlite, durable, mariadb], 'a log', (kind) => {
    beforeEach(() => prepare(kind));

    const logOut = async (count: number): Promise<void> => {
      const instance = await start();
      for (let i = 0; i < count; i++) await instance.logout.logoutSession(`session ${i}`);
    };

    it('doctor finds nothing wrong with a healthy log that two equal instances follow', async () => {
      await logOut(3);
      await start();
      const report = await examine();
      expect(report.findings).toEqual([]);
      expect(report).toMatchObject({ ok: true, code: 0 });
      const { code, stdout } = await run(database, 'doctor');
      expect(stdout).toMatch(/ok {4}gaps: .*\n[^]*Nothing is wrong\./);
      expect(code).toBe(0);
    });

    it('doctor reports a missing table, with the command that creates it', async () => {
      await query('DROP TABLE auth_refresh');
      expectOnly(await examine(), 'tables', /missing: auth_refresh/, /nestjs-logout migrate/);
      const made = await runJson(database, 'migrate');
      expect(made).toMatchObject({ code: 0, madeAgain: ['auth_refresh'] });
      expect((await examine()).findings).toEqual([]);
    });

    it('doctor reports a missing column, with the command that creates it', async () => {
      await query('ALTER TABLE auth_session DROP COLUMN tenant');
      expectOnly(
        await examine(),
        'columns',
        /missing: auth_session\.tenant\. Instances .* refuse to boot/,
        /nestjs-logout migrate/,
      );
      expect(await runJson(database, 'migrate')).toMatchObject({ code: 0, madeAgain: [] });
      expect((await examine()).findings).toEqual([]);
    });

    it('doctor reports a missing index, with the statement that creates it', async () => {
      await query(`DROP INDEX auth_event_keep_until${kind === mariadb ? ' ON auth_event' : ''}`);
      const report = await examine();
      expectOnly(
        report,
        'indexes',
        /auth_event_keep_until is missing/,
        /INDEX (IF NOT EXISTS )?auth_event_/,
      );
      await query(report.findings[0]?.fixes[0] ?? '');
      expect((await examine()).ok).toBe(true);
    });

    it.each(['auth_head', 'auth_log'])(
      'doctor reports a missing row in %s as damage',
      async (table) => {
        await query(`DELETE FROM ${table}`);
        const { code, findings } = await examine();
        const [first] = findings.filter(({ check }) => check === 'log rows');
        expect(first?.what).toContain(`${table} has lost its row`);
        expect(first?.fixes.join()).toContain('new-history');
        expect(code).toBe(1);
      },
    );

    it('doctor reports a head that is not at the last event as damage', async () => {
      await logOut(3);
      // An instance that runs would notice the loss, and repair it.
      await instances.pop()?.close();
      await query('DELETE FROM auth_event WHERE position = 3');
      const { findings } = await examine();
      expect(findings.map(({ check }) => check)).toEqual(['head', 'gaps']);
      expect(findings[0]?.what).toContain('is at 3, and the last event at 2');
    });

    it('doctor reports a missing event as damage', async () => {
      await logOut(3);
      await query('DELETE FROM auth_event WHERE position = 2');
      expectOnly(await examine(), 'gaps', /1 event above position 0 is gone/, /revoke --everyone/);
    });

    it('doctor reports a log of a newer format, with what to update', async () => {
      await query('UPDATE auth_head SET format = 99');
      expectOnly(await examine(), 'format', /format 99/, /Update nestjs-logout/);
    });

    it('doctor reports pending events that no instance numbers, and which instance would', async () => {
      await admin
        .createQueryBuilder()
        .insert()
        .into('auth_pending')
        .values(
          LogStatements.pendingValues({
            id: newEventId(Date.now() - 10 * 60_000),
            kind: 'session',
            key: 'a'.repeat(32),
            except: null,
            accessOnly: false,
            expiresAt: null,
            life: null,
            skew: 0,
            reason: 'logout',
            actor: null,
          }),
        )
        .updateEntity(false)
        .callListeners(false)
        .execute();
      expectOnly(await examine(), 'pending', /1 pending event.*10 min/, /first one that starts/);
    });

    it('doctor reports expired events that no instance purges, and purge fixes it', async () => {
      await logOut(3);
      await query(
        `UPDATE auth_event SET created_at = created_at - ${3 * HOUR}, keep_until = keep_until - ${3 * HOUR}`,
      );
      expectOnly(await examine(), 'purge', /2 events expired/, /nestjs-logout purge/);
      expect(await runJson(database, 'purge')).toMatchObject({ code: 0, deleted: 2 });
      expect((await examine()).ok).toBe(true);
    });

    it('doctor reports a database whose clock is an hour behind the clock of this host', async () => {
      const report = await examine({ clock: new WrongHost(HOUR) });
      expectOnly(report, 'clocks', /this host is 60 min ahead/, /NTP/);
    });

    it('doctor reports the instance whose host clock is an hour behind', async () => {
      await start({ clock: new WrongHost(-HOUR) });
      expectOnly(await examine(), 'clocks', new RegExp(`:${process.pid} is 60 min behind`), /NTP/);
    });

    it('doctor reports instances that differ in maxStaleness, with the value of each', async () => {
      await start({ options: { maxStaleness: 5 } });
      await start({ options: { maxStaleness: 30 } });
      expectOnly(await examine(), 'bounds', /maxStaleness: (5|30) s: .*; (5|30) s: /, /the same/);
    });

    it('doctor reports instances that differ in the lifetime of their tokens', async () => {
      await start({ options: { accessTokenTtl: '5m' } });
      await start({ options: { accessTokenTtl: '15m' } });
      expectOnly(await examine(), 'bounds', /token lifetime: .*(5|15) min/, /accessTokenTtl/);
    });

    it('doctor reports instances of two releases', async () => {
      await start();
      await query(`UPDATE auth_instance SET release_name = '0.0.9', format = 1`);
      await start();
      expectOnly(await examine(), 'releases', /0\.0\.9 \(format 1\)/, /newer release/);
    });

    it('doctor reports a bound that was raised by an instance that has stopped, with the command that lowers it', async () => {
      await (await startInstance(database, { options: { maxStaleness: 30 } })).close();
      await start();
      const report = await examine();
      expectOnly(report, 'registered bounds', /30 s, raised by/, /lower-bound --max-staleness 5/);
    });

    it('doctor notes an unbounded staleness, and does not fail for it', async () => {
      await query(`UPDATE auth_head SET max_staleness = ${100 * 366 * 24 * HOUR}`);
      const { code, findings } = await examine();
      expect(findings).toMatchObject([{ check: 'unbounded', level: 'note' }]);
      expect(code).toBe(0);
    });
  });

  describeOn([postgres], 'a server without fsync', () => {
    beforeEach(() => prepare(postgres));

    it('doctor reports a server without fsync, with the setting', async () => {
      expectOnly(await examine(), 'durability', /fsync is off/, /SET fsync = on/);
    });
  });

  describeOn([durable], 'a server', () => {
    beforeEach(() => prepare(durable));

    it('doctor reports a read-only server, with what to look for', async () => {
      const name = new URL(database.url).pathname.slice(1);
      await query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
      const report = await examine();
      expectOnly(report, 'primary', /read-only/, /default_transaction_read_only/);
      expect(report.skipped).toContainEqual({
        check: 'privileges',
        why: 'the server is read-only',
      });
    });

    it('doctor reports synchronous_commit off, with its effect on { manager }', async () => {
      const name = new URL(database.url).pathname.slice(1);
      await query(`ALTER DATABASE ${name} SET synchronous_commit = off`);
      expectOnly(await examine(), 'durability', /synchronous_commit is off/, /RESET/);
    });

    const withPgBouncer = hasPgBouncer ? it : it.skip;
    withPgBouncer(
      'doctor notes PgBouncer in transaction mode, and the url of the push option',
      async () => {
        const bouncer = await PgBouncer.before(database);
        try {
          const { code, findings } = await examine({}, bouncer.through);
          expect(findings).toMatchObject([{ check: 'pooler', level: 'note' }]);
          expect(findings[0]?.fixes.join()).toContain('polling only');
          expect(code).toBe(0);
        } finally {
          await bouncer.stop();
        }
      },
    );

    it('doctor reports a server that does not answer, and prints nothing to stdout', async () => {
      const { code, stdout, stderr } = await run(undefined, 'doctor', {
        env: { DATABASE_URL: 'postgres://nobody:secret@127.0.0.1:1/none' },
      });
      expect(stderr).toMatch(/The database cannot be used: .*ECONNREFUSED/);
      expect(stderr).not.toContain('secret');
      expect([code, stdout]).toEqual([1, '']);
    });
  });

  describeOn([mariadb], 'a server', () => {
    beforeEach(() => prepare(mariadb));

    it('doctor reports innodb_flush_log_at_trx_commit 2, with the setting', async () => {
      const was = (await query('SELECT @@global.innodb_flush_log_at_trx_commit AS was')) as {
        was: number;
      }[];
      await query('SET GLOBAL innodb_flush_log_at_trx_commit = 2');
      try {
        expectOnly(await examine(), 'durability', /commit is 2/, /= 1/);
      } finally {
        await query(`SET GLOBAL innodb_flush_log_at_trx_commit = ${was[0]?.was ?? 1}`);
      }
    });
  });

  describeOn([durable, mariadb], 'a role', (kind) => {
    beforeEach(() => prepare(kind));

    it('doctor reports what a read-only role lacks, with the GRANTs', async () => {
      const url = new URL(database.url);
      const name = url.pathname.slice(1);
      const isMaria = kind === mariadb;
      const roles = isMaria ? [`'${name}'@'%'`, `'${name}'@'localhost'`] : [name];
      try {
        for (const role of roles) {
          await query(
            isMaria
              ? `CREATE USER ${role} IDENTIFIED BY 'secret'`
              : `CREATE ROLE ${role} LOGIN PASSWORD 'secret'`,
          );
          await query(
            isMaria
              ? `GRANT SELECT ON ${name}.* TO ${role}`
              : `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role}`,
          );
        }
        url.username = name;
        url.password = 'secret';
        const options = { ...database.options, url: url.href } as DataSourceOptions;
        const report = await examine({}, { ...database, url: url.href, options });
        expectOnly(
          report,
          'privileges',
          /may not UPDATE auth_head, INSERT auth_event/,
          /GRANT SELECT, INSERT, DELETE.* ON .*auth_event/,
        );
      } finally {
        await query(isMaria ? `DROP USER ${roles.join(', ')}` : `DROP OWNED BY ${name}`);
        if (!isMaria) await query(`DROP ROLE ${name}`);
      }
    });
  });
});
