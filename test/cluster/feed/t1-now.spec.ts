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

  it('now is the wall clock if nothing else is known', () => {
    const clock = new TestClock(1_000_000_000);
    expect(new ProofClock(clock, OPTIONS).now()).toBe(1_000_000_000);
  });

  it('now continues from the database’s time if the host is behind', () => {
    const { clock, proofs } = proven();
    clock.skewWall(-HOUR);
    clock.advance(1_234);
    expect(proofs.now()).toBe(1_000_001_234);
  });

  it('now is the wall clock if the host is ahead', () => {
    const { clock, proofs } = proven();
    clock.skewWall(HOUR);
    expect(proofs.now()).toBe(1_000_000_000 + HOUR);
  });

  it('now does not go back with the wall clock behind the database’s time', () => {
    const { clock, proofs } = proven();
    clock.advance(60_000);
    clock.skewWall(-HOUR);
    expect(proofs.now()).toBe(1_000_060_000);
  });

  it('now goes back with a database clock that had stepped ahead', () => {
    const { clock, proofs } = proven();
    proofs.prove(proofs.moment(), clock.database() + HOUR);
    expect(proofs.now()).toBe(1_000_000_000 + HOUR);
    proofs.prove(proofs.moment(), clock.database());
    expect(proofs.now()).toBe(1_000_000_000);
  });

  it('now is corrected by the next proof after the monotonic clock leapt', () => {
    const { clock, proofs } = proven();
    jest.spyOn(clock, 'monotonic').mockReturnValue(HOUR);
    expect(proofs.now()).toBe(1_000_000_000 + HOUR);
    proofs.prove(proofs.moment(), clock.database());
    expect(proofs.now()).toBe(1_000_000_000);
  });

  it('a slow answer does not set now back: its time counts from its sending', () => {
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

    it('a host an hour behind refuses expired tokens, and forgets no event meanwhile', async () => {
      database = await sqlite.migrated();
      here = await startInstance(database, { clock: new TestClock() });
      const clock = clockOf(here);
      const token = await here.login('alice');
      await here.logout.logoutSession('another instance’s');
      clock.skewWall(-HOUR);
      expect(await here.judge(token)).toBe('active');
      clock.skewDatabase(HOUR);
      await follow(here);
      expect(await here.judge(token)).toBe('token_expired');
      expect(here.index.stats().entries).toBe(1);
    });

    it('a host an hour ahead forgets no event of a token that other instances still accept', async () => {
      database = await sqlite.migrated();
      here = await startInstance(database, { clock: new TestClock() });
      await here.logout.logoutSession('another instance’s');
      clockOf(here).skewWall(HOUR);
      await follow(here);
      expect(here.index.stats().entries).toBe(1);
    });
  });
});
