import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { readEvents } from '../../support/log-tables.js';

/** In one round trip with BEGIN on PostgreSQL, after it on MariaDB. */
const LOCK = /auth_head.*FOR UPDATE/s;

const UNAVAILABLE = { status: 503, code: 'storage_unavailable' };

describeOn(serverKinds, 'a server that falls silent', (kind) => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let instance: Instance;
  let token: string;

  beforeEach(async () => {
    database = await kind.migrated();
    const { proxy: network, through } = await TcpProxy.before(database);
    proxy = network;
    instance = await startInstance(through, { clock: new TestClock() });
    token = await instance.login('alice');
  });

  afterEach(async () => {
    proxy?.thaw();
    await instance?.close();
    await proxy?.close();
    await database?.drop();
  });

  it('a server that falls silent on one connection is given up, and the logout succeeds on another connection', async () => {
    const before = proxy.connections;
    const silent = proxy.next(LOCK, 'freeze');
    const answer = instance.logout.logout(token);
    await silent;
    expect(await answer).toMatchObject({ events: [{ kind: 'session', position: 1 }] });
    expect(await instance.judge(token)).toBe('session_ended');
    expect(proxy.connections).toBeGreaterThan(before);
  });

  it('while the server is silent on all connections, logout and login answer 503, and then succeed', async () => {
    proxy.freeze();
    const answers = [instance.logout.logout(token), instance.login('bob')].map((answer) =>
      answer.catch((error: unknown) => error),
    );
    expect(await Promise.all(answers)).toMatchObject([UNAVAILABLE, UNAVAILABLE]);

    proxy.thaw();
    // More than the pool has connections: none of them is one that hung.
    const tokens = await Promise.all(
      Array.from({ length: 8 }, (_, index) => instance.login(`user${index}`)),
    );
    for (const each of [token, ...tokens]) {
      await instance.logout.logout(each);
      expect(await instance.judge(each)).toBe('session_ended');
    }
    expect(await readEvents(instance.dataSource)).toHaveLength(tokens.length + 1);
  });
});
