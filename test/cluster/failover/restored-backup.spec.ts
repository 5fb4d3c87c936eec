import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { TestClock } from 'nestjs-logout/testing';
import {
  databaseKinds,
  describeOn,
  serverKinds,
  sqlite,
  type TestDatabase,
} from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { run } from '../../support/command.js';
import { endSessions, listenForErrors } from '../../support/controlled-instance.js';
import { follow } from '../../support/log-tables.js';
import { codeOf, login } from '../../support/session-acts.js';
import { tellsOf } from './lost-history.js';
import { TableCopy } from './table-copy.js';

const REFUSALS: ReadonlySet<string> = new Set(['session_ended', 'token_revoked']);

describe('our tables restored from a backup', () => {
  let database: TestDatabase;
  let instances: Instance[];

  afterEach(async () => {
    await stopAll();
    await database?.drop();
    jest.restoreAllMocks();
  });

  const begin = async (create: () => Promise<TestDatabase>): Promise<void> => {
    database = await create();
    instances = [];
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  };

  const start = async (): Promise<Instance> => {
    const instance = await startInstance(database, { clock: new TestClock(), jumpsAtLoad: true });
    instances.push(instance);
    return instance;
  };

  const stopAll = async (): Promise<void> => {
    for (const instance of (instances ?? []).splice(0)) await instance.close();
  };

  const expectRefused = async (tokens: readonly string[]): Promise<void> => {
    for (const { judge } of instances) {
      const codes = await Promise.all(tokens.map(judge));
      expect(codes.filter((code) => !REFUSALS.has(code))).toEqual([]);
    }
  };

  const expectActive = async (tokens: readonly string[]): Promise<void> => {
    for (const { judge } of instances) {
      expect(await Promise.all(tokens.map(judge))).toEqual(tokens.map(() => 'active'));
    }
  };

  describeOn(databaseKinds, 'under running instances', (kind) => {
    beforeEach(() => begin(kind.create));

    it('E10: restore under running instances: these still refuse known tokens, and report how many events were lost', async () => {
      const [near, far] = [await start(), await start()];
      const errors = listenForErrors();
      const told = instances.map(tellsOf);
      const alice = await login(near, 'alice');
      const [bob, dave] = [await near.login('bob'), await near.login('dave')];
      await endSessions(near, 3);
      const backup = await TableCopy.take(near.dataSource);
      await near.logout.logout(alice.accessToken);
      await near.logout.logoutAll('bob');
      // Its position was read in a history that is lost.
      const carol = await near.login('carol');
      await follow(far);
      await backup.putBack();
      for (const instance of instances) await follow(instance);

      await expectRefused([alice.accessToken, bob]);
      await expectActive([dave, carol]);
      expect(errors()).toEqual([
        expect.stringMatching(/\b2 known live events/),
        expect.stringMatching(/\b2 known live events/),
      ]);
      expect(told.map(({ lost }) => lost)).toEqual([[2], [2]]);
      for (const { sessions } of instances) {
        expect(await codeOf(sessions.refresh(alice.refreshToken))).toBe('session_ended');
      }

      await near.logout.logoutAll('carol');
      const renewed = await far.login('carol');
      for (const instance of instances) await follow(instance);
      await start();
      await expectRefused([carol]);
      await expectActive([dave, renewed]);
    });
  });

  /** Backup, lost history, all stopped, restored; returns a token of each. */
  async function loseTheFuture(): Promise<{ ended: string; future: string[]; before: string }> {
    const old = await start();
    const [ended, before] = [await old.login('alice'), await old.login('dave')];
    await endSessions(old, 3);
    const backup = await TableCopy.take(old.dataSource);
    await endSessions(old, 5);
    await old.logout.logoutAll('alice');
    const future = [await old.login('alice'), await old.login('bob')];
    await old.logout.logoutAll('nobody');
    future.push(await old.login('carol'));
    await backup.putBack();
    await stopAll();
    return { ended, future, before };
  }

  /** What every log guarantees after that, whichever instance remembers what. */
  async function expectLaterLogoutsToHold(
    young: Instance,
    { ended, future, before }: Awaited<ReturnType<typeof loseTheFuture>>,
  ): Promise<void> {
    // The logout that no instance remembers is lost: that is what a backup does, and what the docs
    // say.
    await expectActive([ended, before]);
    for (const subject of ['alice', 'bob', 'carol']) await young.logout.logoutAll(subject);
    await start();
    await expectRefused([ended, ...future]);
    await expectActive([before, await young.login('alice')]);
    // No position of the lost history is assigned again, however far the log goes.
    await endSessions(young, 20);
    await expectRefused([ended, ...future]);
  }

  describeOn(serverKinds, 'with every instance stopped, and new-history run', (kind) => {
    beforeEach(() => begin(kind.create));

    it('after new-history no token of the lost history survives a later logoutAll', async () => {
      const lost = await loseTheFuture();
      // Nothing in these rows says that they are old: an operator has to. They came with the names
      // of instances that ran when the copy was made.
      const { code, stdout } = await run(database, 'new-history --yes --force');
      expect([code, stdout]).toEqual([0, expect.stringContaining('A new history starts')]);
      await expectLaterLogoutsToHold(await start(), lost);
    });
  });

  describeOn([sqlite], 'with every instance stopped', (kind) => {
    beforeEach(() => begin(kind.create));

    it('without any command no token of the lost history survives a later logoutAll', async () => {
      const lost = await loseTheFuture();
      await expectLaterLogoutsToHold(await start(), lost);
    });
  });
});
