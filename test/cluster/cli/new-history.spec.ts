import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { findingsOf, run, runJson } from '../../support/command.js';

interface Jump {
  readonly before: number;
  readonly position: number;
}

describe('H3: nestjs-logout new-history', () => {
  describeOn(databaseKinds, 'after a backup was restored', (kind) => {
    let database: TestDatabase;
    let here: Instance | undefined;

    beforeEach(async () => {
      database = await kind.migrated();
      here = await startInstance(database);
    });

    afterEach(async () => {
      await here?.close();
      await database?.drop();
    });

    it('new-history refuses while an instance runs, and asks for --yes', async () => {
      const running = await run(database, 'new-history --yes');
      expect(running.code).toBe(1);
      expect(running.stderr).toMatch(new RegExp(`Instances are running.*:${process.pid}`));
      await here?.close();
      here = undefined;
      const asked = await run(database, 'new-history');
      expect([asked.code, asked.stdout]).toEqual([2, '']);
    });

    it('after new-history a token of the lost history does not survive a later logoutAll', async () => {
      const first = here as Instance;
      await first.logout.logoutSession('in the backup');
      const backup = await rowsOf(first);
      for (let i = 0; i < 10; i++) await first.logout.logoutSession(`lost ${i}`);
      const lost = await first.login('alice'); // its position comes from what will be lost
      await first.close();
      here = undefined;
      await restore(database, backup);

      const jump = await runJson<Jump>(database, 'new-history --yes');
      expect(jump).toMatchObject({ code: 0, before: backup.position });
      expect(jump.position).toBeGreaterThan(Date.now() * 1000);

      here = await startInstance(database);
      await here.logout.logoutAll('alice');
      expect(await here.judge(lost)).toBe('session_ended');
      expect(await here.judge(await here.login('alice'))).toBe('active');
      expect(await findingsOf(database)).toEqual([]);
    });
  });
});

interface Backup {
  readonly position: number;
  readonly lastEvent: string;
}

async function rowsOf({ dataSource }: Instance): Promise<Backup> {
  const [head] = (await dataSource.query('SELECT position, last_event_id FROM auth_head')) as {
    position: string;
    last_event_id: Buffer;
  }[];
  return {
    position: Number(head?.position),
    lastEvent: Buffer.from(head?.last_event_id ?? '').toString('hex'),
  };
}

/** The log as it was: later events were never there. */
async function restore({ options }: TestDatabase, backup: Backup): Promise<void> {
  const { DataSource } = await import('typeorm');
  const source = await new DataSource(options).initialize();
  const bytes = options.type === 'postgres' ? `'\\x${backup.lastEvent}'` : `x'${backup.lastEvent}'`;
  await source.query(`DELETE FROM auth_event WHERE position > ${backup.position}`);
  await source.query('DELETE FROM auth_session');
  await source.query(
    `UPDATE auth_head SET position = ${backup.position}, last_event_id = ${bytes}`,
  );
  await source.destroy();
}
