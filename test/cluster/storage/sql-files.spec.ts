import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { TestClock } from 'nestjs-logout/testing';
import { DataSource, type DataSourceOptions } from 'typeorm';
import {
  databaseKinds,
  describeOn,
  mariadb,
  serverKinds,
  type TestDatabase,
} from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { grantsIn, sqlFiles, statementsIn } from '../../support/sql-files.js';
import { letTimePass } from '../../support/controlled-instance.js';
import { countPending, follow } from '../../support/log-tables.js';

const CHECK = { migrations: 'check' } as const;
const DIALECTS = { SQLite: 'sqlite', PostgreSQL: 'postgres', MariaDB: 'mysql' } as const;

const script = (name: string): string => readFileSync(`docs/sql/${name}`, 'utf8');

describe('docs/sql', () => {
  it('docs/sql is up to date (else: node build/test/support/write-sql-files.js)', () => {
    const files = sqlFiles();
    expect(readdirSync('docs/sql').toSorted()).toEqual([...files.keys()].toSorted());
    for (const [name, text] of files) expect(script(name)).toBe(text);
  });

  describeOn(databaseKinds, 'the scripts', (kind) => {
    let database: TestDatabase;
    let source: DataSource;

    beforeEach(async () => {
      database = await kind.create();
      source = await new DataSource(database.options).initialize();
    });

    afterEach(async () => {
      await source?.destroy();
      await database?.drop();
    });

    const run = async (direction: 'up' | 'down'): Promise<void> => {
      const text = script(`${DIALECTS[kind.name]}.${direction}.sql`);
      for (const statement of statementsIn(text)) await source.query(statement);
    };
    const logId = async (): Promise<unknown> =>
      ((await source.query('SELECT log_id FROM auth_log')) as { log_id: unknown }[])[0]?.log_id;

    it('the up scripts pass the check of the boot, and the log works', async () => {
      await run('up');
      const here = await startInstance(database, { clock: new TestClock(), options: CHECK });
      const token = await here.login('alice');
      await here.logout.logoutAll('alice');
      expect(await here.judge(token)).toBe('session_ended');
      await here.close();
    });

    it('the down scripts leave nothing, and the up scripts then create a new log', async () => {
      await run('up');
      const before = await logId();
      await run('down');
      await expect(startInstance(database, { options: CHECK })).rejects.toThrow(
        'lacks these tables',
      );
      await run('up');
      expect(String(await logId())).toMatch(/^[0-9a-f-]{32,36}$/);
      expect(await logId()).not.toBe(before);
    });
  });

  describeOn(serverKinds, 'a role with the grants of the script and no others', (kind) => {
    it('the grants of the script are enough for everything that the library does', async () => {
      const database = await kind.create();
      const isMaria = kind === mariadb;
      const url = new URL(database.url);
      const name = url.pathname.slice(1);
      const roles = isMaria ? [`'${name}'@'%'`, `'${name}'@'localhost'`] : [name];
      const admin = await new DataSource(database.options).initialize();
      const text = script(isMaria ? 'mysql.up.sql' : 'postgres.up.sql');
      let here: Instance | undefined;
      try {
        for (const statement of statementsIn(text)) await admin.query(statement);
        await admin.query('CREATE TABLE orders (id INTEGER PRIMARY KEY)');
        for (const role of roles) {
          await admin.query(
            isMaria
              ? `CREATE USER ${role} IDENTIFIED BY 'secret'`
              : `CREATE ROLE ${role} LOGIN PASSWORD 'secret'`,
          );
          for (const grant of grantsIn(text, role)) await admin.query(grant);
        }
        url.username = name;
        url.password = 'secret';
        const given = isMaria ? url.href.replace(/^mysql:/, 'mariadb:') : url.href;
        const options = { ...database.options, url: given } as DataSourceOptions;
        here = await startInstance(
          { ...database, options },
          { clock: new TestClock(), options: CHECK },
        );
        await expect(here.dataSource.query('SELECT * FROM orders')).rejects.toThrow(/denied/);
        const [one, two] = [await here.login('alice'), await here.login('bob')];
        await here.logout.logout(one);
        await here.dataSource.transaction((manager) =>
          here === undefined ? Promise.reject() : here.logout.logoutAll('bob', { manager }),
        );
        await follow(here);
        await here.login('carol'); // numbers pending events
        expect(await countPending(admin)).toBe(0);
        expect(await here.judge(one)).toBe('session_ended');
        expect(await here.judge(two)).toBe('session_ended');
        letTimePass(here.clock as TestClock, 86_400_000);
        expect(await here.purge.purge()).toBe(1);
      } finally {
        await here?.close();
        await admin.query(isMaria ? `DROP USER ${roles.join(', ')}` : `DROP OWNED BY ${name}`);
        if (!isMaria) await admin.query(`DROP ROLE ${name}`);
        await admin.destroy();
        await database.drop();
      }
    });
  });
});
