import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { endSessions } from '../../support/controlled-instance.js';

/** Beyond two ranges of 500 rows each. */
const ROWS = 1_200;

describeOn(databaseKinds, 'a purge that takes longer than its claim', (kind) => {
  let database: TestDatabase;
  let clock: TestClock;
  let here: Instance;
  let there: Instance;

  beforeEach(async () => {
    database = await kind.migrated();
    clock = new TestClock();
    here = await startInstance(database, { clock });
    there = await startInstance(database, { clock });
    await endSessions(here, ROWS);
    // Aged by hand: if time passed, the instances would purge by themselves.
    await here.dataSource.query(
      'UPDATE auth_event SET created_at = created_at - 3600000, keep_until = keep_until - 3600000',
    );
    await endSessions(here, 1);
  });

  afterEach(async () => {
    await here.close();
    await there.close();
    await database.drop();
    jest.restoreAllMocks();
  });

  /** Twenty seconds pass after each range, of the thirty that a claim lasts. */
  const purgeSlowly = async (between: () => Promise<void>): Promise<number> => {
    const { statements } = await here.open();
    const { deleteEvents } = statements;
    let ranges = 0;
    jest.spyOn(statements, 'deleteEvents').mockImplementation((positions) => {
      clock.advance(20_000);
      ranges++;
      return deleteEvents.call(statements, positions);
    });
    const { database: connections } = await here.open();
    const { transaction } = connections;
    jest.spyOn(connections, 'transaction').mockImplementation(async (body) => {
      const before = ranges;
      const result = await transaction.call(connections, body);
      if (ranges === before && ranges === 2) await between();
      return result as never;
    });
    return here.purge.purge();
  };

  it('a purge that takes longer than its claim keeps every other instance out until it ends', async () => {
    const elsewhere: number[] = [];
    const deleted = await purgeSlowly(async () => {
      elsewhere.push(await there.purge.purge());
    });
    expect(elsewhere.length).toBeGreaterThan(0);
    expect(elsewhere.every((count) => count === 0)).toBe(true);
    expect(deleted).toBe(ROWS - 1); // its successor is young (X1)
  });

  it('a purge stops when another instance has taken its claim', async () => {
    const deleted = await purgeSlowly(async () => {
      await there.dataSource.query('UPDATE auth_head SET purge_claimed_until = 1');
    });
    expect(deleted).toBeLessThan(ROWS);
  });
});
