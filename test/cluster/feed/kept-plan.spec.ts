import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, postgres, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { follow } from '../../support/log-tables.js';

describeOn([postgres], 'the plan of a poll', (kind) => {
  let database: TestDatabase;
  let here: Instance;

  beforeEach(async () => {
    database = await kind.migrated();
    here = await startInstance(database, { clock: new TestClock() });
    await follow(here);
  });

  afterEach(async () => {
    await here?.close();
    await database?.drop();
  });

  /** What the feed's own connection answers. */
  const ask = async (sql: string): Promise<unknown[]> => {
    const { database: log } = await here.open();
    const { rows } = await log.poll({ sql, values: [] }, 2_000, () => undefined);
    return rows.map((row) => ({ ...row }));
  };

  it('the connection of the feed keeps the plan of a poll, beside the plan of the position', async () => {
    const rows = await ask('SELECT name::text AS name FROM pg_prepared_statements ORDER BY name');
    expect(rows).toEqual([
      { name: expect.stringMatching(/^nestjs_logout_poll_[0-9a-f]{16}$/) },
      { name: expect.stringMatching(/^nestjs_logout_position_[0-9a-f]{16}$/) },
    ]);
  });

  it('a poll works without its plan, for example where a pooler switches the connection', async () => {
    const token = await here.login('alice');
    await ask('DEALLOCATE ALL');
    const there = await startInstance(database, { clock: new TestClock() });
    await there.logout.logout(token);
    await there.close();
    await follow(here);
    expect(here.feed.failing).toBe(false);
    expect(await here.judge(token)).toBe('session_ended');
    expect(await ask('SELECT name::text AS name FROM pg_prepared_statements')).toEqual([]);
  });
});
