import { afterEach, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { codeOf } from '../../support/session-acts.js';
import { follow, loseCommit, readEvents, reconnect } from '../../support/log-tables.js';

describeOn(serverKinds, 'H2: a jump whose COMMIT is not answered', (kind) => {
  let database: TestDatabase | undefined;
  let proxy: TcpProxy | undefined;
  let here: Instance | undefined;

  afterEach(async () => {
    jest.restoreAllMocks();
    await here?.close();
    await proxy?.close();
    await database?.drop();
  });

  it.each(['cut', 'swallow answer'] as const)(
    'a jump whose COMMIT is not answered leaves no doubt about its logout (%s)',
    async (fate) => {
      database = await kind.migrated();
      const network = await TcpProxy.before(database);
      ({ proxy } = network);
      here = await startInstance(network.through, { clock: new TestClock() });
      await here.login('alice');
      await here.dataSource.query(`UPDATE auth_head SET server = 'another'`);

      const [code] = await Promise.all([
        codeOf(here.logout.logoutAll('alice')),
        loseCommit(proxy, fate),
      ]);
      expect(code).toBe('storage_unavailable');
      await reconnect(proxy, here);
      const again = await here.login('alice');
      await follow(here);
      // It was not begun: written now, it would end a login that came after its refusal (G3).
      expect(await readEvents(here.dataSource)).toEqual([]);
      expect(await here.judge(again)).toBe('active');
    },
  );
});
