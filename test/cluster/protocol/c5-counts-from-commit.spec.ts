import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { AuthWiringError } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { DataSource } from 'typeorm';
import { databaseKinds, describeOn, sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { countPending, follow } from '../../support/log-tables.js';

describe('C5: in the caller’s transaction everything takes effect at the caller’s commit', () => {
  describeOn(databaseKinds, '{ manager }', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let there: Instance;
    let subject: string;
    let token: string;

    beforeAll(async () => {
      database = await kind.migrated();
      here = await startInstance(database, { clock: new TestClock() });
      there = await startInstance(database, { clock: new TestClock() });
    });

    beforeEach(async () => {
      subject = randomUUID();
      token = await here.login(subject);
    });

    afterEach(async () => {
      await here.log.drain();
      await there.log.drain();
    });

    afterAll(async () => {
      await here?.close();
      await there?.close();
      await database?.drop();
    });

    const expectOnBoth = async (verdict: string): Promise<void> => {
      for (const instance of [here, there]) {
        await follow(instance);
        expect(await instance.judge(token)).toBe(verdict);
      }
    };
    const rollBack = new Error('the caller rolls back');

    it('nothing is revoked before the caller’s commit, and everything after it', async () => {
      await here.dataSource.transaction(async (manager) => {
        const receipt = await here.logout.logoutAll(subject, { manager });
        expect(receipt).toMatchObject({ events: [{ kind: 'subject', position: null }] });
        expect(receipt.keptUntil).toBeNull();
        await expectOnBoth('active');
      });
      await expectOnBoth('session_ended');
    });

    it('applied() resolves when this instance refuses the tokens', async () => {
      const receipt = await here.dataSource.transaction((manager) =>
        here.logout.logout(token, { manager }),
      );
      await receipt.applied();
      expect(await here.judge(token)).toBe('session_ended');
    });

    it('nothing is revoked when the caller rolls back', async () => {
      const transaction = here.dataSource.transaction(async (manager) => {
        await here.logout.logoutAll(subject, { manager });
        throw rollBack;
      });
      await expect(transaction).rejects.toBe(rollBack);
      await expectOnBoth('active');
      expect(await countPending(here.dataSource)).toBe(0);
    });

    it('nothing is revoked when the savepoint is rolled back and the rest is committed', async () => {
      await here.dataSource.transaction(async (manager) => {
        const inner = manager.transaction(async (nested) => {
          await here.logout.logoutAll(subject, { manager: nested });
          throw rollBack;
        });
        await expect(inner).rejects.toBe(rollBack);
      });
      await expectOnBoth('active');
    });

    it('nothing is revoked when the savepoint is released and the whole is then rolled back', async () => {
      const transaction = here.dataSource.transaction(async (manager) => {
        await manager.transaction((nested) => here.logout.logoutAll(subject, { manager: nested }));
        await expectOnBoth('active');
        throw rollBack;
      });
      await expect(transaction).rejects.toBe(rollBack);
      await expectOnBoth('active');
    });

    it('the tokens are revoked when the savepoint is released and the whole is committed', async () => {
      await here.dataSource.transaction((manager) =>
        manager.transaction((nested) => here.logout.logoutAll(subject, { manager: nested })),
      );
      await expectOnBoth('session_ended');
    });

    it('{ manager } with { wait } is an error, and writes nothing', async () => {
      await here.dataSource.transaction(async (manager) => {
        const logout = here.logout.logout(token, { manager, wait: 'everywhere' });
        await expect(logout).rejects.toBeInstanceOf(AuthWiringError);
      });
      await expectOnBoth('active');
    });

    it('{ manager } without an active transaction is an error', async () => {
      const { manager } = here.dataSource;
      const logout = here.logout.logout(token, { manager });
      await expect(logout).rejects.toThrow(/without an active TypeORM transaction/);
      const runner = here.dataSource.createQueryRunner();
      await runner.query('BEGIN');
      const raw = here.logout.logout(token, { manager: runner.manager });
      await expect(raw).rejects.toBeInstanceOf(AuthWiringError);
      await runner.query('ROLLBACK');
      await runner.release();
      await expectOnBoth('active');
    });

    it('{ manager } of a transaction on another database is an error', async () => {
      // Two databases of one MariaDB share its transactions, so there it takes another server.
      const elsewhere = kind.name === 'MariaDB' ? sqlite : kind;
      const foreign = await elsewhere.migrated();
      const other = await startInstance(foreign, { clock: new TestClock() });
      const plain = await elsewhere.migrated();
      const without = await new DataSource(plain.options).initialize();
      for (const dataSource of [other.dataSource, without]) {
        const transaction = dataSource.transaction((manager) =>
          here.logout.logout(token, { manager }),
        );
        await expect(transaction).rejects.toThrow(/another database/);
      }
      await expectOnBoth('active');
      await other.close();
      await without.destroy();
      await foreign.drop();
      await plain.drop();
    });

    it('{ manager } of another DataSource on the same database takes effect', async () => {
      const second = await new DataSource(database.options).initialize();
      await second.transaction((manager) => here.logout.logout(token, { manager }));
      await second.destroy();
      await expectOnBoth('session_ended');
    });
  });
});
