import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { describeOn, postgres, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { claimsIn, headPosition, readEvents } from '../../support/log-tables.js';
import { LogWriter, sessionEnd } from '../../support/log-writer.js';

/** What one statement reports, and what several do. */
const REFUSED = /The head of the revocation log was not raised/;

const NOT_ENDED = /A row of auth_session was not ended/;

/** Its message, and the messages of all its causes. */
function causesOf(error: unknown): string {
  return error instanceof Error ? `${error.message} ${causesOf(error.cause)}` : '';
}

/** A BEFORE trigger that returns NULL leaves a row out, and the statement succeeds: as where rows are moved. */
describe('W1: a write from which a trigger removes a row', () => {
  describeOn([postgres], 'the log', () => {
    let database: TestDatabase;
    let watcher: DataSource;
    let writer: LogWriter;
    const instances: Instance[] = [];

    beforeEach(async () => {
      database = await postgres.migrated();
      watcher = await new DataSource(database.options).initialize();
      writer = await LogWriter.on(database);
      await writer.append([sessionEnd('first')]);
      await watcher.query(
        `CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`,
      );
    });

    afterEach(async () => {
      for (const instance of instances.splice(0)) await instance.close();
      await writer.close();
      await watcher.destroy();
      await database.drop();
    });

    const leaveOut = (when: string, table: string, condition = 'TRUE'): Promise<unknown> =>
      watcher.query(
        `CREATE TRIGGER leaves_out BEFORE ${when} ON ${table} FOR EACH ROW WHEN (${condition}) EXECUTE FUNCTION leave_out()`,
      );
    const stored = async (): Promise<[events: number, head: number]> => [
      (await readEvents(watcher)).length,
      await headPosition(watcher),
    ];

    for (const [when, table, condition] of [
      ['INSERT', 'auth_event', 'TRUE'],
      ['INSERT', 'auth_event', 'NEW.position = 3'],
      ['UPDATE', 'auth_head', 'TRUE'],
    ] as const) {
      for (const form of ['append', 'appendAtOnce'] as const) {
        it(`the write is refused and undone: ${form}, ${when} ON ${table} WHEN ${condition}`, async () => {
          await leaveOut(when, table, condition);
          const written = writer[form]([sessionEnd('one'), sessionEnd('two')]);
          const failure = await written.catch((error: unknown) => error);
          expect(failure).toMatchObject({ outcome: 'rolled back' });
          expect(String((failure as Error).cause ?? failure)).toMatch(REFUSED);
          expect(await stored()).toEqual([1, 1]);
        });
      }
    }

    it('a suppressed logout is refused, and succeeds once the trigger is gone', async () => {
      const here = await startInstance(database);
      instances.push(here);
      const token = await here.login();
      await leaveOut('INSERT', 'auth_event');
      await expect(here.logout.logout(token)).rejects.toMatchObject({ status: 503 });
      expect(await stored()).toEqual([1, 1]);
      await watcher.query('DROP TRIGGER leaves_out ON auth_event');
      expect((await here.logout.logout(token)).events).toMatchObject([{ position: 2 }]);
      expect(await here.judge(token)).toBe('session_ended');
    });

    it('no account is left without its cut-off', async () => {
      const here = await startInstance(database);
      instances.push(here);
      const token = await here.login();
      await leaveOut('UPDATE', 'auth_subject');
      await expect(here.logout.logoutAll('alice')).rejects.toMatchObject({ status: 503 });
      expect(await stored()).toEqual([1, 1]);
      expect(await here.judge(token)).toBe('active');
    });

    it('no session stays open after its logout', async () => {
      const here = await startInstance(database);
      instances.push(here);
      const token = await here.login();
      await leaveOut('UPDATE', 'auth_session');
      for (const form of ['append', 'appendAtOnce'] as const) {
        const written = writer[form]([sessionEnd(claimsIn(token).sid)]);
        const failure = await written.catch((error: unknown) => error);
        expect([form, causesOf(failure)]).toEqual([form, expect.stringMatching(NOT_ENDED)]);
      }
      // A logout that fails in one statement tries several.
      const failure = await here.logout.logout(token).catch((error: unknown) => error);
      expect(failure).toMatchObject({ status: 503 });
      expect(causesOf(failure)).toMatch(NOT_ENDED);
      await here.dataSource.transaction((manager) => here.logout.logout(token, { manager }));
      await expect(here.log.settlePending()).rejects.toMatchObject({ status: 503 });
      expect(await stored()).toEqual([1, 1]);
      await watcher.query('DROP TRIGGER leaves_out ON auth_session');
      await here.logout.logout(token);
      expect(await here.judge(token)).toBe('session_ended');
    });

    it('no jump is left half done', async () => {
      await leaveOut('INSERT', 'auth_event');
      const jumped = writer.database.transaction(() => writer.transactions.jump(() => true));
      await expect(jumped).rejects.toMatchObject({ outcome: 'rolled back' });
      expect(await stored()).toEqual([1, 1]);
    });
  });
});
