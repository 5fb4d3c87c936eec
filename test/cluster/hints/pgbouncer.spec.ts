import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { AccountService } from 'nestjs-logout';
import { postgresHint } from 'nestjs-logout/postgres';
import { postgres, type TestDatabase } from '../../support/databases.js';
import { startInstance, type Instance } from '../../support/instance.js';
import { hasPgBouncer, PgBouncer } from '../../support/pgbouncer.js';
import { eventually } from '../../support/eventually.js';
import { follow } from '../../support/log-tables.js';
import { pushOf } from '../../support/push-link.js';

const run = hasPgBouncer && postgres.available ? describe : describe.skip;

run('PgBouncer in transaction mode in between', () => {
  let database: TestDatabase;
  let bouncer: PgBouncer;
  let here: Instance;
  let there: Instance;
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);

  beforeAll(async () => {
    database = await postgres.migrated();
    bouncer = await PgBouncer.before(database);
    const { through } = bouncer;
    here = await startInstance(through, { options: { hint: postgresHint() } });
    // Around the pooler, as the docs say.
    there = await startInstance(through, {
      options: { hint: postgresHint({ url: database.url }) },
    });
  });

  afterAll(async () => {
    await here?.close();
    await there?.close();
    await bouncer?.stop();
    await database?.drop();
  });

  it('a listener behind PgBouncer does not hear itself, reports `polling only`, and says what to do', async () => {
    await eventually(() => here.revocation.status().hint === 'polling only');
    const said = warn.mock.calls.map(([message]) => String(message));
    expect(said.filter((line) => line.includes('postgresHint({ url })'))).toHaveLength(1);
  });

  it('a listener with a url straight to the server hears those behind PgBouncer', async () => {
    await eventually(() => there.revocation.status().hint === 'listening');
    const wakeUp = jest.spyOn(pushOf(there), 'wakeUp');
    await here.logout.logout(await here.login());
    await eventually(() => wakeUp.mock.calls.length > 0);
  });

  it('login, refresh, logout and the feed work behind PgBouncer', async () => {
    const login = await here.sessions.login(async () => ({ subject: 'alice' }));
    const next = await there.sessions.refresh(login?.refreshToken ?? '');
    expect(await here.judge(next.accessToken)).toBe('active');
    await here.logout.logout(next.accessToken);
    await follow(there);
    expect(await there.judge(next.accessToken)).toBe('session_ended');
    await expect(there.sessions.refresh(next.refreshToken ?? '')).rejects.toMatchObject({
      code: 'session_ended',
    });
  });

  it('{ manager } works behind PgBouncer', async () => {
    const token = await here.login('bob');
    const receipt = await here.dataSource.transaction((manager) =>
      here.logout.logoutAll('bob', { manager }),
    );
    await receipt.applied();
    expect(await here.judge(token)).toBe('session_ended');
    const after = await here.login('bob');
    await follow(there);
    expect(await there.judge(token)).toBe('session_ended');
    expect(await there.judge(after)).toBe('active');
  });

  it('acts on accounts work behind PgBouncer', async () => {
    const accounts = here.app.get(AccountService);
    const token = await here.login('carol');
    await accounts.lock('carol', '1m');
    expect(await here.judge(token)).not.toBe('active');
    await expect(there.login('carol')).rejects.toMatchObject({ code: 'account_locked' });
    await accounts.unlock('carol');
    expect(await there.judge(await there.login('carol'))).toBe('active');
  });

  it('many concurrent logins and logouts work while PgBouncer switches connections', async () => {
    const tokens = await Promise.all(
      Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? here : there).login(`user ${i}`)),
    );
    await Promise.all(tokens.map((token) => here.logout.logout(token)));
    await follow(there);
    for (const token of tokens) expect(await there.judge(token)).toBe('session_ended');
  });
});
