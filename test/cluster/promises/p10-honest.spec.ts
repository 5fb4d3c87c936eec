import { afterEach, expect, it, jest } from '@jest/globals';
import { setTimeout } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { createApp } from '../../../sample/01-quickstart/create-app.js';
import { readSettings } from '../../../sample/01-quickstart/settings.js';
import { describeOn, postgres, sqlite } from '../../support/databases.js';
import { AppendAtOnce } from '../../support/internals.js';
import { mintToken, SHARED_SECRET } from '../../support/mint-token.js';
import { QuickstartClient } from '../../support/quickstart-client.js';
import { COMMIT, TcpProxy } from '../../support/tcp-proxy.js';

/** How one statement of a logout is made to fail, and how that is fixed. */
interface Fault {
  readonly name: string;
  readonly begin: (proxy: TcpProxy, admin: DataSource) => unknown;
  readonly end: (proxy: TcpProxy, admin: DataSource) => unknown;
}

/** The connection breaks whenever this statement is sent, at each attempt. */
function cutAt(name: string, pattern: RegExp): Fault {
  return {
    name: `the connection breaks at ${name}`,
    begin: (proxy) => proxy.watch((bytes) => (pattern.test(bytes) ? 'cut' : 'pass')),
    end: (proxy) => proxy.watch(() => 'pass'),
  };
}

/** The server refuses, because a trigger raises an error. */
function raiseAt(name: string, table: string, event: string, deferred = ''): Fault {
  return {
    name: `the server refuses ${name}`,
    begin: (_, admin) =>
      admin.query(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$; " +
          `CREATE ${deferred === '' ? '' : 'CONSTRAINT '}TRIGGER refuse ` +
          `${deferred === '' ? 'BEFORE' : 'AFTER'} ${event} ON ${table} ${deferred} ` +
          'FOR EACH ROW EXECUTE FUNCTION refuse()',
      ),
    end: (_, admin) => admin.query('DROP FUNCTION refuse CASCADE'),
  };
}

function rename(table: string): Fault {
  return {
    name: `the table ${table} is gone`,
    begin: (_, admin) => admin.query(`ALTER TABLE ${table} RENAME TO elsewhere`),
    end: (_, admin) => admin.query(`ALTER TABLE elsewhere RENAME TO ${table}`),
  };
}

const faults: readonly Fault[] = [
  cutAt('the lock of the head', /auth_head.*FOR UPDATE/s),
  cutAt('the raise of the head', /UPDATE [^;]*auth_head/),
  cutAt('the insert', /INSERT INTO [^;]*auth_event/),
  cutAt('COMMIT', COMMIT),
  raiseAt('the raise of the head', 'auth_head', 'UPDATE'),
  raiseAt('the insert', 'auth_event', 'INSERT'),
  raiseAt('the commit', 'auth_event', 'INSERT', 'DEFERRABLE INITIALLY DEFERRED'),
  rename('auth_head'),
  rename('auth_event'),
];

/** What a client sees of a fault: during it, and after it was fixed. */
interface Seen {
  readonly fault: string;
  readonly failed: number;
  readonly code: unknown;
  readonly retryAfter: boolean;
  readonly again: number;
  readonly me: number;
}

describeOn([postgres], 'P10 honest: a logout that could not be stored', (kind) => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('a logout in one statement answers 503 storage_unavailable whatever fails, and succeeds when sent again', () =>
    observeAll(faults));

  it('a logout in several statements answers 503 whichever of them fails', () => {
    jest.spyOn(AppendAtOnce.prototype, 'run').mockResolvedValue(undefined);
    return observeAll([cutAt('BEGIN', /BEGIN/), ...faults]);
  });

  async function observeAll(all: readonly Fault[]): Promise<void> {
    expect(await Promise.all(all.map(observe))).toEqual(
      all.map(({ name }) => ({
        fault: name,
        failed: 503,
        code: 'storage_unavailable',
        retryAfter: true,
        again: 204,
        me: 401,
      })),
    );
  }

  async function observe(fault: Fault): Promise<Seen> {
    const database = await kind.migrated();
    const { proxy, through } = await TcpProxy.before(database);
    const admin = await new DataSource(database.options).initialize();
    const settings = readSettings({ DATABASE_URL: through.url, AUTH_SECRET: SHARED_SECRET });
    const app = await createApp(settings, []);
    try {
      await app.listen(0, '127.0.0.1');
      const client = new QuickstartClient(await app.getUrl());
      while ((await client.get('/health')).status !== 200) await setTimeout(20);
      const token = mintToken();
      await fault.begin(proxy, admin);
      const failed = await client.post('/auth/logout', { token });
      await fault.end(proxy, admin);
      let again = await client.logout(token);
      // A connection that broke may be found broken once more.
      if (again === 503) again = await client.logout(token);
      return {
        fault: fault.name,
        failed: failed.status,
        code: (failed.body as { code?: unknown }).code,
        retryAfter: /^[1-9]\d*$/.test(failed.headers.get('retry-after') ?? ''),
        again,
        me: await client.me(token),
      };
    } finally {
      await app.close();
      await admin.destroy();
      await proxy.close();
      await database.drop();
    }
  }
});

describeOn([sqlite], 'P10 honest: a logout that could not be stored', (kind) => {
  it('a logout answers 503 if the table is gone', async () => {
    const database = await kind.migrated();
    const settings = readSettings({ DATABASE_URL: database.url, AUTH_SECRET: SHARED_SECRET });
    const app = await createApp(settings, []);
    const admin = await new DataSource(database.options).initialize();
    try {
      await app.listen(0, '127.0.0.1');
      const client = new QuickstartClient(await app.getUrl());
      const token = mintToken();
      await admin.query('ALTER TABLE auth_event RENAME TO elsewhere');
      const failed = await client.post('/auth/logout', { token });
      expect([failed.status, failed.body]).toMatchObject([503, { code: 'storage_unavailable' }]);
      await admin.query('ALTER TABLE elsewhere RENAME TO auth_event');
      expect(await client.logout(token)).toBe(204);
      expect(await client.me(token)).toBe(401);
    } finally {
      await admin.destroy();
      await app.close();
      await database.drop();
    }
  });
});
