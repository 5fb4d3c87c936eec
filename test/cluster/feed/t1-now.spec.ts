import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { ProofClock } from '../../support/internals.js';
import { follow } from '../../support/log-tables.js';
import { clockOf } from '../../support/controlled-instance.js';

const HOUR = 3_600_000;
const OPTIONS = { maxStaleness: 5_000 };

describe('T1: now is the later of the wall clock and the database’s time', () => {
  const proven = (): { clock: TestClock; proofs: ProofClock } => {
    const clock = new TestClock(1_000_000_000);
    const proofs = new ProofClock(clock, OPTIONS);
    proofs.prove(proofs.moment(), clock.database());
    return { clock, proofs };
  };

  it('is the wall clock where nothing else is known', () => {
    const clock = new TestClock(1_000_000_000);
    expect(new ProofClock(clock, OPTIONS).now()).toBe(1_000_000_000);
  });

  it('goes on from the database’s time where the host is behind', () => {
    const { clock, proofs } = proven();
    clock.skewWall(-HOUR);
    clock.advance(1_234);
    expect(proofs.now()).toBe(1_000_001_234);
  });

  it('is the wall clock where that one is ahead', () => {
    const { clock, proofs } = proven();
    clock.skewWall(HOUR);
    expect(proofs.now()).toBe(1_000_000_000 + HOUR);
  });

  it('does not go back with the wall clock behind what the database said', () => {
    const { clock, proofs } = proven();
    clock.advance(60_000);
    clock.skewWall(-HOUR);
    expect(proofs.now()).toBe(1_000_060_000);
  });

  it('goes back with a database’s clock that had stepped ahead', () => {
    const { clock, proofs } = proven();
    proofs.prove(proofs.moment(), clock.database() + HOUR);
    expect(proofs.now()).toBe(1_000_000_000 + HOUR);
    proofs.prove(proofs.moment(), clock.database());
    expect(proofs.now()).toBe(1_000_000_000);
  });

  it('comes back from a leap of the monotonic clock with the next proof', () => {
    const { clock, proofs } = proven();
    jest.spyOn(clock, 'monotonic').mockReturnValue(HOUR);
    expect(proofs.now()).toBe(1_000_000_000 + HOUR);
    proofs.prove(proofs.moment(), clock.database());
    expect(proofs.now()).toBe(1_000_000_000);
  });

  it('counts an answer’s time from its sending, so that a slow one sets nothing back', () => {
    const { clock, proofs } = proven();
    const sent = proofs.moment();
    const said = clock.database();
    clock.advance(2_000);
    proofs.prove(sent, said);
    expect(proofs.database()).toBe(1_000_002_000);
  });

  describe('on an instance', () => {
    let database: TestDatabase | undefined;
    let here: Instance | undefined;

    afterEach(async () => {
      await here?.close();
      await database?.drop();
      jest.restoreAllMocks();
    });

    it('a host an hour behind refuses what has expired, and forgets nothing meanwhile', async () => {
      database = await sqlite.migrated();
      here = await startInstance(database, { clock: new TestClock() });
      const clock = clockOf(here);
      const token = await here.login('alice');
      await here.logout.logoutSession('somebody else’s');
      clock.skewWall(-HOUR);
      expect(await here.judge(token)).toBe('active');
      clock.skewDatabase(HOUR);
      await follow(here);
      expect(await here.judge(token)).toBe('token_expired');
      expect(here.index.stats().entries).toBe(1);
    });

    it('a host an hour ahead forgets no event of a token that others still accept', async () => {
      database = await sqlite.migrated();
      here = await startInstance(database, { clock: new TestClock() });
      await here.logout.logoutSession('somebody else’s');
      clockOf(here).skewWall(HOUR);
      await follow(here);
      expect(here.index.stats().entries).toBe(1);
    });
  });
});
