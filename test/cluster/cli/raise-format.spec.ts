import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { CommandLog, SUPPORTED_FORMAT } from '../../support/internals.js';
import { run, runJson } from '../../support/command.js';

describe('H5: nestjs-logout raise-format', () => {
  describeOn(databaseKinds, 'on a log that instances follow', (kind) => {
    let database: TestDatabase;
    let here: Instance;

    beforeEach(async () => {
      database = await kind.migrated();
      here = await startInstance(database);
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      await here?.close();
      await database?.drop();
    });

    const format = async (): Promise<number> =>
      (await runJson<{ format: number }>(database, 'status')).format;

    it('raise-format asks for --yes, raises the format, and does nothing the second time', async () => {
      const token = await here.login('alice');
      const asked = await run(database, 'raise-format 2');
      expect([asked.code, asked.stdout]).toEqual([2, '']);
      expect(asked.stderr).toMatch(/do not roll back[^]*--yes/);
      expect(await format()).toBe(1);
      expect(await runJson(database, 'raise-format 2 --yes')).toEqual({
        code: 0,
        from: 1,
        format: 2,
      });
      expect(await format()).toBe(2);
      expect(await runJson(database, 'raise-format 2')).toEqual({ code: 0, from: 2, format: 2 });
      // The instances that run go on, and others may start.
      expect(await here.feed.strictProof(60_000)).toBe(true);
      expect(await here.judge(token)).toBe('active');
      const there = await startInstance(database);
      expect(await there.judge(token)).toBe('active');
      await there.close();
    });

    it('raise-format refuses while an instance of an older release runs, and names it', async () => {
      await here.dataSource.query('UPDATE auth_instance SET format = 1');
      const { code, stderr } = await run(database, 'raise-format 2 --yes');
      expect(stderr).toMatch(new RegExp(`do not understand it: .*:${process.pid} \\(seen`));
      expect(code).toBe(1);
      expect(await format()).toBe(1);
      await here.dataSource.query('UPDATE auth_instance SET seen_at = seen_at - 600000');
      expect((await run(database, 'raise-format 2 --yes')).code).toBe(0);
      expect(await format()).toBe(2);
    });

    it('raise-format notices an older instance that started after the question: it checks again under the head lock', async () => {
      await here.dataSource.query('UPDATE auth_instance SET format = 1');
      jest.spyOn(CommandLog.prototype, 'listInstances').mockResolvedValueOnce([]);
      const { code, stderr } = await run(database, 'raise-format 2 --yes');
      expect([code, stderr]).toEqual([1, expect.stringContaining('do not understand it')]);
      expect(await format()).toBe(1);
    });

    it('raise-format refuses to lower the format', async () => {
      await run(database, 'raise-format 2 --yes');
      const { code, stderr } = await run(database, 'raise-format 1 --yes');
      expect([code, stderr]).toEqual([1, expect.stringMatching(/has format 2.*cannot go back/)]);
      expect(await format()).toBe(2);
    });

    it.each([`${SUPPORTED_FORMAT + 1}`, '0', '2.0', 'two', '-1'])(
      'raise-format does not know the format %s, and changes nothing',
      async (given) => {
        const { code, stderr } = await run(database, `raise-format ${given} --yes`);
        expect(code).toBe(2);
        if (given !== '-1') expect(stderr).toMatch(/understands 1 to 2[^]*the last instance/);
        expect(await format()).toBe(1);
      },
    );
  });
});
