import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { readEvents } from '../../support/log-tables.js';

describe('C5: a logout inside the application’s own write transaction', () => {
  describeOn([sqlite], 'the gate', (kind) => {
    let database: TestDatabase;
    let instance: Instance;

    beforeEach(async () => {
      database = await kind.create();
      instance = await startInstance(database, { clock: new TestClock() });
      await instance.dataSource.query('CREATE TABLE account (name text)');
    });

    afterEach(async () => {
      await instance?.close();
      await database?.drop();
    });

    it('a logout inside an open write transaction is an error after 5 s that names { manager }, and the transaction can go on', async () => {
      const token = await instance.login();
      await instance.dataSource.transaction(async (manager) => {
        await manager.query(`INSERT INTO account VALUES ('alice')`);
        await expect(instance.logout.logout(token)).rejects.toMatchObject({
          status: 503,
          code: 'storage_unavailable',
          message: expect.stringContaining('{ manager }'),
        });
        await instance.logout.logout(token, { manager });
      });
      expect(await instance.dataSource.query('SELECT name FROM account')).toHaveLength(1);
      expect(await readEvents(instance.dataSource)).toEqual([]); // no instance has numbered it yet
      await instance.feed.strictProof();
      expect(await instance.judge(token)).toBe('session_ended');
    });

    it('a logout waits for a write transaction that ends, and then succeeds', async () => {
      const token = await instance.login();
      let logout: Promise<unknown> | undefined;
      await instance.dataSource.transaction(async (manager) => {
        await manager.query(`INSERT INTO account VALUES ('alice')`);
        logout = instance.logout.logout(token);
        await manager.query(`INSERT INTO account VALUES ('bob')`);
        expect(await readEvents(instance.dataSource)).toEqual([]);
      });
      await logout;
      expect(await readEvents(instance.dataSource)).toHaveLength(1);
      expect(await instance.judge(token)).toBe('session_ended');
    });
  });
});
