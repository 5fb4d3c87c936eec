import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { TestClock } from 'nestjs-logout/testing';
import { DataSource } from 'typeorm';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { startInstance } from '../../support/instance.js';
import { COMMIT, TcpProxy } from '../../support/tcp-proxy.js';
import { LogWriter, sessionEnd } from '../../support/log-writer.js';
import { eventually } from '../../support/eventually.js';
import { countLockWaits, follow, headPosition, readEvents } from '../../support/log-tables.js';

const WRITERS = 16;
const WRITES = 6;

describe('W1: the order of positions is the order of commits, without a gap', () => {
  describeOn(serverKinds, 'the log', (kind) => {
    let database: TestDatabase;
    let watcher: DataSource;
    let writers: LogWriter[];
    let proxy: TcpProxy | undefined;

    beforeEach(async () => {
      database = await kind.migrated();
      watcher = await new DataSource(database.options).initialize();
      writers = [await LogWriter.on(database)];
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      proxy?.thaw();
      for (const writer of writers) await writer.close();
      await proxy?.close();
      proxy = undefined;
      await watcher?.destroy();
      await database?.drop();
    });

    const addWriters = async (count: number): Promise<void> => {
      const more = Array.from({ length: count }, () => LogWriter.on(database));
      writers.push(...(await Promise.all(more)));
    };
    const first = (): LogWriter => writers[0] as LogWriter;

    it('positions are contiguous at every moment under 16 concurrent writers', async () => {
      await addWriters(WRITERS - 1);
      const reported = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
      const follower = await startInstance(database, { clock: new TestClock() });
      const looks: string[] = [];
      const writing = new AbortController();
      const look = async (): Promise<void> => {
        while (!writing.signal.aborted) {
          const [row] = (await watcher.query(
            `SELECT (SELECT position FROM auth_head) AS head, COUNT(*) AS count, ` +
              `COALESCE(MAX(position), 0) AS top FROM auth_event`,
          )) as { head: unknown; count: unknown; top: unknown }[];
          looks.push([row?.head, row?.count, row?.top].map(Number).join(' '));
          await follow(follower);
        }
      };
      const looking = look();
      await Promise.all(
        writers.map(async (writer, n) => {
          for (let i = 0; i < WRITES; i++) await writer.append([sessionEnd(`${n} ${i}`)]);
        }),
      );
      writing.abort();
      await looking;
      await follow(follower);

      expect(looks.filter((seen) => new Set(seen.split(' ')).size !== 1)).toEqual([]);
      expect(follower.cursor.position).toBe(WRITERS * WRITES);
      expect(follower.index.stats().byKind.session).toBe(WRITERS * WRITES);
      expect(reported).not.toHaveBeenCalled();
      await follower.close();
    });

    it('a writer waits for a predecessor that has not committed, and no reader sees either until then', async () => {
      const network = await TcpProxy.before(database);
      proxy = network.proxy;
      const slow = await LogWriter.on(network.through);
      writers.push(slow);
      const isCommitting = proxy.next(COMMIT, 'freeze');
      const one = slow.append([sessionEnd('one')]);
      await isCommitting;
      const two = first().append([sessionEnd('two')]);
      await eventually(async () => (await countLockWaits(watcher)) === 1);

      expect(await readEvents(watcher)).toEqual([]);
      proxy.thaw();
      expect((await one).events).toMatchObject([{ position: 1 }]);
      expect((await two).events).toMatchObject([{ position: 2 }]);
      expect(await headPosition(watcher)).toBe(2);
    });

    it('a transaction that was rolled back leaves no gap', async () => {
      const { database: log, transactions } = first();
      const failing = log.transaction(function* () {
        yield* transactions.append([sessionEnd('one'), sessionEnd('two')], false);
        yield { sql: 'SELECT nothing_of_that_name', values: [] };
      });
      await expect(failing).rejects.toMatchObject({ outcome: 'rolled back', retryable: false });
      expect(await headPosition(watcher)).toBe(0);
      const { events } = await first().append([sessionEnd('three')]);
      expect(events).toMatchObject([{ position: 1 }]);
      expect(await readEvents(watcher)).toHaveLength(1);
    });

    it('the head has a row even when the same event is written twice at once', async () => {
      await addWriters(7);
      const draft = sessionEnd('one');
      const outcomes = await Promise.all(writers.map((writer) => writer.append([draft], true)));
      expect(outcomes.map(({ events: [event] }) => event?.position)).toEqual(Array(8).fill(1));
      expect(await headPosition(watcher)).toBe(1);
      expect(await readEvents(watcher)).toMatchObject([{ position: 1, id: draft.id }]);
    });

    it('the log is written READ COMMITTED, whatever the default of the server or the role', async () => {
      if (kind.name === 'PostgreSQL') {
        // Every role of this database, so also that of our connections, which are opened after it.
        const [{ name }] = (await watcher.query('SELECT current_database() AS name')) as [
          { name: string },
        ];
        await watcher.query(
          `ALTER DATABASE "${name}" SET default_transaction_isolation = 'serializable'`,
        );
      } // MariaDB's own default is REPEATABLE READ.
      await first().close();
      writers = [];
      await addWriters(8);
      const isolation =
        kind.name === 'PostgreSQL' ? `current_setting('transaction_isolation')` : '@@tx_isolation';
      const seen = await first().database.transaction(function* () {
        const { rows } = yield { sql: `SELECT ${isolation} AS level`, values: [] };
        return rows[0]?.['level']?.toLowerCase().replace('-', ' ');
      });
      expect(seen).toBe('read committed');
      // Without a retry: a stale snapshot or a serialisation failure would show.
      await Promise.all(
        writers.map((writer, n) => writer.append([sessionEnd(`session ${n}`)], true)),
      );
      expect((await readEvents(watcher)).map(({ position }) => position)).toEqual([
        1, 2, 3, 4, 5, 6, 7, 8,
      ]);
    });
  });
});
