import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { AccountService } from 'nestjs-logout';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { eventually } from '../../support/eventually.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { type Connection, connectTo, KINDS, type LiveUrls } from './live-server.js';

const PROCESS = fileURLToPath(new URL('live-process.js', import.meta.url));

describeOn(serverKinds, 'connections of another process', (kind) => {
  let database: TestDatabase;
  let here: Instance;
  let other: ChildProcess;
  let urls: LiveUrls;

  beforeAll(async () => {
    database = await kind.migrated();
    here = await startInstance(database);
    other = fork(PROCESS, [JSON.stringify(database.options)], { execArgv: [] });
    [urls] = (await once(other, 'message')) as [LiveUrls];
  });

  afterAll(async () => {
    other?.kill('SIGKILL');
    await here?.close();
    await database?.drop();
  });

  const connectAll = (token: string): Promise<Connection[]> =>
    Promise.all(KINDS.map((each) => connectTo(urls, each, token)));
  const areOver = (all: Connection[]): boolean => all.every(({ isOpen }) => !isOpen);
  const close = (all: Connection[]): void => all.forEach((each) => each.close());

  it('connections of another process end after a logout, a password change and a lock here, and no others do', async () => {
    const accounts = here.app.get(AccountService);
    const [bystander, kept] = [await here.login('bystander'), await here.login('bob')];
    const [untouched, spared] = [await connectAll(bystander), await connectAll(kept)];
    const ends = [
      ['alice', (token: string) => here.logout.logout(token)],
      [
        'bob',
        async () => {
          const { sid } = await here.tokens.verify(kept);
          await accounts.passwordChanged('bob', { keepSession: sid });
        },
      ],
      ['carol', () => accounts.lock('carol', 60)],
    ] as const;
    for (const [subject, end] of ends) {
      const token = await here.login(subject);
      const all = await connectAll(token);
      expect(all.map(({ isOpen }) => isOpen)).toEqual(KINDS.map(() => true));
      await end(token);
      await eventually(() => areOver(all));
      expect(all[2]?.why).toMatch(/^4401 /);
      close(all);
    }
    expect([...untouched, ...spared].map(({ isOpen }) => isOpen)).not.toContain(false);
    await here.logout.revokeEveryone();
    await eventually(() => areOver([...untouched, ...spared]));
    close([...untouched, ...spared]);
  });
});
