import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { postgres, type TestDatabase } from '../../support/databases.js';
import { describeWithHints } from '../../support/hint-kinds.js';
import { startInstance, type Instance } from '../../support/instance.js';
import { clockOf, controlPolls, endSessions, knows } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';

describeWithHints('a push notification', (kind) => {
  let database: TestDatabase;
  let here: Instance;
  let there: Instance;

  // Their clocks do not move: no instance polls unless the test asks it to.
  beforeEach(async () => {
    database = await postgres.migrated();
    const start = (): Promise<Instance> =>
      startInstance(database, { clock: new TestClock(), options: { hint: kind.direct() } });
    here = await start();
    there = await start();
    for (const { revocation } of [here, there]) {
      await eventually(() => revocation.status().hint === 'listening');
    }
  });

  afterEach(async () => {
    await here?.close();
    await there?.close();
    await database?.drop();
  });

  it('a push notification makes a logout take effect elsewhere before any scheduled poll', async () => {
    const token = await here.login();
    expect(await there.judge(token)).toBe('active');
    await here.logout.logout(token);
    await eventually(async () => (await there.judge(token)) !== 'active');
    expect(await there.judge(token)).toBe('session_ended');
  });

  it('a push notification costs its sender no poll', async () => {
    const polls = await controlPolls(here);
    const [sid = ''] = await endSessions(here, 1);
    await eventually(() => knows(there, sid));
    const [other = ''] = await endSessions(there, 1);
    await eventually(() => knows(here, other));
    expect(polls.count).toBe(1);
  });

  it('many push notifications at once cause one poll', async () => {
    const polls = await controlPolls(there);
    for (let round = 0; round < 20; round++) await endSessions(here, 1);
    const [last = ''] = await endSessions(here, 1);
    await eventually(() => {
      clockOf(there).advance(1);
      return knows(there, last);
    });
    // The first at once, the others at most one each 20 ms.
    expect(polls.count).toBeLessThanOrEqual(2 + clockOf(there).monotonic() / 20);
  });
});
