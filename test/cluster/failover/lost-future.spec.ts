import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { TestClock } from 'nestjs-logout/testing';
import { DataSource } from 'typeorm';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { endSessions } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';
import { follow, headPosition } from '../../support/log-tables.js';
import { ACTS } from '../../support/session-acts.js';
import { TableCopy } from './table-copy.js';

const REFUSALS: ReadonlySet<string> = new Set(['session_ended', 'token_revoked', 'account_locked']);
const ENDINGS = ['logoutAll', 'lock', 'passwordChanged', 'revokeEveryone'] as const;

/** An older backup of our tables, restored with every instance stopped, without `new-history`. */
describeOn(databaseKinds, 'tokens of a lost history', (kind) => {
  let database: TestDatabase;
  let instances: Instance[];

  beforeEach(async () => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    database = await kind.migrated();
    instances = [];
  });

  afterEach(async () => {
    await stopAll();
    await database.drop();
    jest.restoreAllMocks();
  });

  const start = async (jumpsAtLoad: boolean): Promise<Instance> => {
    const instance = await startInstance(database, { clock: new TestClock(), jumpsAtLoad });
    instances.push(instance);
    return instance;
  };

  const stopAll = async (): Promise<void> => {
    for (const instance of instances.splice(0)) await instance.close();
  };

  /**
   * Returns the tokens that were signed after the copy was made, one at each of the next positions.
   */
  async function loseTheFuture({ hoursOld }: { hoursOld: number }): Promise<string[]> {
    const old = await start(false);
    await endSessions(old, 3);
    const backup = await TableCopy.take(old.dataSource);
    const tokens: string[] = [];
    for (let count = 0; count < 6; count++) {
      await endSessions(old, 1);
      tokens.push(await old.login('alice'));
    }
    await backup.putBack();
    await stopAll();
    // Its instance signed off when it stopped; the backup still has the row.
    const source = await new DataSource(database.options).initialize();
    await source.query(`DELETE FROM auth_instance`);
    await source.query(`INSERT INTO auth_instance SELECT * FROM copy_of_auth_instance`);
    await source.query(`UPDATE auth_instance SET seen_at = seen_at - ${hoursOld * 3_600_000}`);
    await source.destroy();
    return tokens;
  }

  const verdicts = async (tokens: readonly string[]): Promise<string[]> => {
    const all: string[] = [];
    for (const { judge } of instances) for (const token of tokens) all.push(await judge(token));
    return all.filter((verdict) => !REFUSALS.has(verdict));
  };

  describe.each(ENDINGS)('after a later %s', (ending) => {
    const end = async (on: Instance): Promise<void> => {
      await ACTS[ending]?.(on, 'alice', '');
    };

    it('tokens of the lost history are refused afterwards, although other events reach their positions first', async () => {
      const lost = await loseTheFuture({ hoursOld: 1 });
      const young = await start(true);
      await end(young);
      await endSessions(young, 10);
      await start(true);
      for (const instance of instances) await follow(instance);
      expect(await verdicts(lost)).toEqual([]);
    });

    it('a token of the lost history that arrives beyond the head is refused afterwards, although the copy is seconds old', async () => {
      const lost = await loseTheFuture({ hoursOld: 0 });
      // A log that seems to be followed does not jump when it is loaded; the safety net (G5)
      // remains.
      const young = await start(false);
      await end(young);
      const beyond = lost.slice(-3);
      const before = await headPosition(young.dataSource);
      expect(await young.judge(beyond[0] ?? '')).toBe('revocation_state_unknown');
      await eventually(async () => (await headPosition(young.dataSource)) > before);
      await start(false);
      for (const instance of instances) await follow(instance);
      expect(await verdicts(beyond)).toEqual([]);
      await endSessions(young, 3);
      for (const instance of instances) await follow(instance);
      expect(await verdicts(beyond)).toEqual([]);
    });
  });

  it('a jump and its gap are kept for the longest token lifetime', async () => {
    const old = await start(false);
    await endSessions(old, 3);
    await stopAll();
    await start(true);
    const { dataSource } = instances[0] as Instance;
    const [row] = (await dataSource.query(
      `SELECT kills_below, keep_until - created_at AS kept FROM auth_event WHERE kind = 'history'`,
    )) as { kills_below: unknown; kept: unknown }[];
    expect(Number(row?.kills_below)).toBe(3);
    // A quarter of an hour is the default lifetime of an access token.
    expect(Number(row?.kept)).toBeGreaterThanOrEqual(900_000);
  });

  it('tokens that were signed before the lost history or after it are accepted', async () => {
    const old = await start(true);
    const before = await old.login('bob');
    await stopAll();
    const young = await start(true);
    const after = await young.login('bob');
    await endSessions(young, 3);
    expect(await Promise.all([before, after].map(young.judge))).toEqual(['active', 'active']);
  });
});
