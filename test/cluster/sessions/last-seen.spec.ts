import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { login } from '../../support/session-acts.js';

const HOUR = 3_600_000;

describeOn(databaseKinds, 'the list of sessions', (kind) => {
  let database: TestDatabase;
  let here: Instance;

  beforeEach(async () => {
    database = await kind.migrated();
    here = await startInstance(database, { clock: new TestClock() });
  });

  afterEach(async () => {
    await here?.close();
    await database?.drop();
  });

  it('the list of sessions shows the login, and later when, from where and by which client it was last seen', async () => {
    const { refreshToken } = await login(here, 'alice');
    const seen = async (): Promise<{ createdAt: Date; lastSeenAt: Date; userAgent: unknown }> => {
      const [session] = await here.sessions.list('alice');
      if (session === undefined) throw new Error('The list lacks the session.');
      return session;
    };
    const first = await seen();
    expect(first.lastSeenAt).toEqual(first.createdAt);

    (here.clock as TestClock).advance(HOUR);
    await here.sessions.refresh(refreshToken, { ip: '203.0.113.7', userAgent: 'Browser/2.0' });
    const later = await seen();
    expect(later.createdAt).toEqual(first.createdAt);
    expect(later.lastSeenAt.getTime() - first.lastSeenAt.getTime()).toBeGreaterThanOrEqual(HOUR);
    expect(later).toMatchObject({ ip: '203.0.113.0', userAgent: 'Browser/2.0' });
  });
});
