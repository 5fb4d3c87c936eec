import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, postgres, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { AppendAtOnce } from '../../support/internals.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { readEvents } from '../../support/log-tables.js';

/** The statement after the lock on the head; it never arrives. */
const RAISE = /UPDATE [^;]*auth_head/;

describeOn(serverKinds, 'a host that vanishes inside a transaction', (kind) => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let gone: Instance;
  let here: Instance;

  beforeEach(async () => {
    database = await kind.create();
    const { proxy: network, through } = await TcpProxy.before(database);
    proxy = network;
    gone = await startInstance(through, { clock: new TestClock() });
    here = await startInstance(database, { clock: new TestClock() });
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    // Cut, not thawed: what a vanished host still held never arrives.
    proxy?.refuse();
    await gone?.close();
    await here?.close();
    await proxy?.close();
    await database?.drop();
  });

  it('a host that vanishes inside a transaction is disconnected by the server, and other logouts succeed within their time limit', async () => {
    const [lost, kept] = [await gone.login('alice'), await here.login('bob')];
    let isGone = (): void => undefined;
    const vanished = new Promise<void>((resolve) => (isGone = resolve));
    proxy.watch((bytes) => {
      if (!RAISE.test(bytes)) return 'pass';
      // The server is not notified either: no FIN, no RST, as when a host loses its power.
      proxy.freeze();
      isGone();
      return 'freeze';
    });
    // A transaction of several statements; one statement holds nothing before it is there.
    jest.spyOn(AppendAtOnce.prototype, 'run').mockResolvedValueOnce(undefined);
    const answer = gone.logout.logout(lost).catch((error: unknown) => error);
    await vanished;

    // It waits for the head that the vanished host holds. Real time: the server's limit of 5 s.
    const receipt = await here.logout.logout(kept);
    expect(receipt.events).toMatchObject([{ kind: 'session', position: 1 }]);
    expect(await here.judge(kept)).toBe('session_ended');
    expect(await answer).toMatchObject({ status: 503, code: 'storage_unavailable' });
    expect(await readEvents(here.dataSource)).toHaveLength(1);
    expect(await here.judge(lost)).toBe('active');
  });
});

describeOn([postgres], 'every write transaction', (kind) => {
  const names = ['lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout'];
  const columns = names.map((name) => `current_setting('${name}') AS ${name}`).join(', ');
  const limits = [
    { lock_timeout: '2s', statement_timeout: '5s', idle_in_transaction_session_timeout: '4s' },
  ];

  it('every write transaction has its time limits, however its first statement is sent', async () => {
    const database = await kind.create();
    const instance = await startInstance(database, { clock: new TestClock() });
    try {
      const { database: log } = await instance.open();
      // Without values it is in the round trip of BEGIN, with values after it.
      for (const [sql, values] of [
        [`SELECT ${columns}`, []],
        [`SELECT ${columns} WHERE $1 = 'x'`, ['x']],
      ] as const) {
        const seen = await log.transaction(function* () {
          const { rows } = yield { sql, values };
          return rows;
        });
        expect(seen).toEqual(limits);
      }
    } finally {
      await instance.close();
      await database.drop();
    }
  });
});
