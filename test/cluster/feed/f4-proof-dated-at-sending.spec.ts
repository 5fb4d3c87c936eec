import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import {
  databaseKinds,
  describeOn,
  serverKinds,
  type TestDatabase,
} from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { POLL, TcpProxy } from '../../support/tcp-proxy.js';
import { clockOf, controlPolls, NEVER_WAIT } from '../../support/controlled-instance.js';

describe('F4: a proof is dated to the moment before its statement was sent', () => {
  describeOn(databaseKinds, 'an answer that waits in a socket', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let there: Instance;

    beforeEach(async () => {
      database = await kind.migrated();
      here = await startInstance(database, { clock: new TestClock(), options: NEVER_WAIT });
      there = await startInstance(database, { clock: new TestClock() });
    });

    afterEach(async () => {
      await here?.close();
      await there?.close();
      await database?.drop();
      jest.restoreAllMocks();
    });

    it('a proof shows the state at the time of the question, not at the arrival of the answer', async () => {
      const token = await here.login('alice');
      const polls = await controlPolls(here);
      polls.hold();
      const proven = here.feed.proofWithin(Infinity, 60_000);
      await polls.answered(1);
      await there.logout.logout(token); // the answer in the socket does not know of it
      clockOf(here).advance(4_901);
      polls.release();
      await proven;
      expect(here.proofs.age()).toBe(4_901);
      expect(await here.judge(token)).toBe('revocation_state_unknown');
    });

    it('the time that a poll waited for a connection does not count', async () => {
      const { database: log } = await here.open();
      const send = log.poll.bind(log);
      jest.spyOn(log, 'poll').mockImplementationOnce(async (...given) => {
        clockOf(here).advance(3_000);
        return send(...given);
      });
      expect(await here.feed.proofWithin(Infinity, 60_000)).toBe(true);
      expect(here.proofs.age()).toBe(0);
    });
  });

  describeOn(serverKinds, 'a network that freezes with the answer in it', (kind) => {
    it('an answer that a frozen network held back proves nothing about the time after its sending', async () => {
      const database = await kind.migrated();
      const { proxy, through } = await TcpProxy.before(database);
      const here = await startInstance(through, { clock: new TestClock(), options: NEVER_WAIT });
      try {
        const frozen = proxy.next(POLL, 'freeze');
        const proven = here.feed.proofWithin(Infinity, 60_000);
        await frozen;
        clockOf(here).advance(4_901);
        proxy.thaw();
        expect(await proven).toBe(true);
        expect(here.proofs.age()).toBe(4_901);
        expect(here.proofs.isFresh()).toBe(false);
      } finally {
        await here.close();
        await proxy.close();
        await database.drop();
      }
    });
  });
});
