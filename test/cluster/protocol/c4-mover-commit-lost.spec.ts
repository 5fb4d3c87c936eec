import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { COMMIT, TcpProxy } from '../../support/tcp-proxy.js';
import { claimsIn, follow, readEvents } from '../../support/log-tables.js';

describe('C4: a login while the answer to the mover’s COMMIT is lost', () => {
  describeOn(serverKinds, 'the login', (kind) => {
    let database: TestDatabase;
    let proxy: TcpProxy;
    let near: Instance;
    let far: Instance;

    beforeEach(async () => {
      database = await kind.migrated();
      const network = await TcpProxy.before(database);
      proxy = network.proxy;
      near = await startInstance(network.through, { clock: new TestClock() });
      far = await startInstance(database, { clock: new TestClock() });
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      await near?.close();
      await far?.close();
      await proxy?.close();
      await database?.drop();
    });

    for (const fate of ['cut', 'swallow answer'] as const) {
      it(`a login gets 503, and succeeds when tried again (${fate})`, async () => {
        const before = await near.login('alice');
        await far.dataSource.transaction((manager) => far.logout.logoutAll('alice', { manager }));
        const lost = proxy.next(COMMIT, fate);
        await expect(near.login('alice')).rejects.toMatchObject({
          status: 503,
          code: 'storage_unavailable',
        });
        await lost;
        const after = await near.login('alice');
        expect(claimsIn(after).gen).toBe(1);
        expect(await readEvents(far.dataSource)).toHaveLength(1);
        for (const instance of [near, far]) {
          await follow(instance);
          expect(await instance.judge(after)).toBe('active');
          expect(await instance.judge(before)).toBe('session_ended');
        }
      });
    }
  });
});
