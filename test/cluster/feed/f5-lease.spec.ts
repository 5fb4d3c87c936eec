import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, serverKinds, sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { ProofClock } from '../../support/internals.js';
import { POLL, TcpProxy } from '../../support/tcp-proxy.js';
import { eventually } from '../../support/eventually.js';
import {
  clockOf,
  controlPolls,
  followAgain,
  NEVER_WAIT,
} from '../../support/controlled-instance.js';

const HOUR = 3_600_000;

describe('F5: the lease is judged at each decision, on both clocks', () => {
  describe('an instance whose database is away', () => {
    let database: TestDatabase;
    let here: Instance;
    let token: string;

    beforeEach(async () => {
      database = await sqlite.migrated();
      here = await startInstance(database, { clock: new TestClock(), options: NEVER_WAIT });
      token = await here.login('alice');
      (await controlPolls(here)).fail();
    });

    afterEach(async () => {
      await here?.close();
      await database?.drop();
      jest.restoreAllMocks();
    });

    it('an instance whose database is away accepts for 0.98 of maxStaleness and not a millisecond longer', async () => {
      clockOf(here).advance(4_900);
      expect(await here.judge(token)).toBe('active');
      clockOf(here).advance(1);
      expect(await here.judge(token)).toBe('revocation_state_unknown');
    });

    it('the lease needs no timer: a late timer does not extend it', async () => {
      jest.spyOn(here.clock, 'schedule').mockReturnValue(() => undefined);
      jest.spyOn(here.clock, 'monotonic').mockReturnValue(here.clock.monotonic() + 4_901);
      expect(await here.judge(token)).toBe('revocation_state_unknown');
    });

    it('a machine that slept lapses by the wall clock, although the monotonic clock stood still', async () => {
      clockOf(here).skewWall(4_901);
      expect(await here.judge(token)).toBe('revocation_state_unknown');
    });

    it('a wall clock that was set back does not extend the lease', async () => {
      clockOf(here).skewWall(-HOUR);
      clockOf(here).advance(4_900);
      expect(await here.judge(token)).toBe('active');
      clockOf(here).advance(1);
      expect(await here.judge(token)).toBe('revocation_state_unknown');
    });

    it('an instance whose lease has lapsed still refuses tokens that it knows are revoked', async () => {
      await here.logout.logout(token);
      clockOf(here).advance(HOUR);
      expect(['session_ended', 'token_expired']).toContain(await here.judge(token));
    });
  });

  it('the age of the proof is infinite before the first proof and after a fork', () => {
    const clock = new TestClock();
    const proofs = new ProofClock(clock, { maxStaleness: 5_000 });
    expect(proofs.age()).toBe(Infinity);
    proofs.prove(proofs.moment(), clock.database());
    expect(proofs.age()).toBe(0);
    proofs.discard();
    expect(proofs.age()).toBe(Infinity);
  });

  describeOn(serverKinds, 'a connection that hangs', (kind) => {
    it('a connection that hangs is destroyed, and never given back to the pool', async () => {
      const database = await kind.migrated();
      const { proxy, through } = await TcpProxy.before(database);
      const here = await startInstance(through, {
        clock: new TestClock(),
        options: { maxStaleness: '500ms' }, // so a poll is given up after 250 ms
      });
      try {
        const before = proxy.connections;
        void proxy.next(POLL, 'freeze');
        expect(await here.feed.strictProof(60_000)).toBe(false);
        expect(here.feed.failing).toBe(true);
        expect(String(here.feed.failure)).toContain('250 ms');
        // More rounds than there are connections: none of them meets the hung one.
        for (let round = 0; round < 4; round++) await followAgain(here);
        await Promise.all(Array.from({ length: 4 }, () => here.login('alice')));
        expect(proxy.connections).toBeGreaterThan(before);
      } finally {
        await here.close();
        await proxy.close();
        await database.drop();
      }
    });

    it('a connection that is obtained too late is given back to the pool, however many are late', async () => {
      const database = await kind.migrated();
      const { proxy, through } = await TcpProxy.before(database);
      const here = await startInstance(through, {
        clock: new TestClock(),
        options: { maxStaleness: '500ms' },
      });
      try {
        proxy.freeze();
        for (let round = 0; round < 4; round++) {
          const failure = here.feed.failure;
          clockOf(here).advance(200); // every round its own poll, and a connection for it
          await eventually(() => here.feed.failure !== failure);
        }
        proxy.thaw();
        await followAgain(here);
        await Promise.all(Array.from({ length: 4 }, () => here.login('alice')));
        for (let round = 0; round < 4; round++) await followAgain(here);
      } finally {
        await here.close(); // a connection that no caller held would keep this waiting for ever
        await proxy.close();
        await database.drop();
      }
    });
  });
});
