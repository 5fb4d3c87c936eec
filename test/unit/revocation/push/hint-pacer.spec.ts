import { beforeEach, describe, expect, it } from '@jest/globals';
import { WakeUpPacer } from '../../../../lib/revocation/push/push-message.js';
import { TestClock } from '../../../../lib/testing/test-clock.js';

describe('the timing of polls after push notifications', () => {
  let clock: TestClock;
  let polls: number[];
  let pacer: WakeUpPacer;

  beforeEach(() => {
    clock = new TestClock();
    polls = [];
    pacer = new WakeUpPacer(clock, () => polls.push(clock.monotonic()));
  });

  it('the first push notification after quiet causes a poll at once', () => {
    pacer.wakeUp();
    clock.advance(1_000);
    pacer.wakeUp();
    expect(polls).toEqual([0, 1_000]);
  });

  it('push notifications in quick succession share one poll, 20 to 50 ms later', () => {
    for (let each = 0; each < 10; each++) pacer.wakeUp();
    expect(polls).toEqual([0]);
    clock.advance(1_000);
    expect(polls).toHaveLength(2);
    expect(polls[1]).toBeGreaterThanOrEqual(20);
    expect(polls[1]).toBeLessThanOrEqual(50);
  });

  it('polls are never closer than 20 ms, nor further apart than 50 ms, however many push notifications arrive', () => {
    for (let ms = 0; ms < 10_000; ms++) {
      pacer.wakeUp();
      clock.advance(1);
    }
    const gaps = polls.slice(1).map((at, index) => at - (polls[index] ?? NaN));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(20);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(51);
    // Not in step with other instances.
    expect(new Set(gaps).size).toBeGreaterThan(5);
  });

  it('no poll follows after it was stopped', () => {
    pacer.wakeUp();
    pacer.wakeUp();
    pacer.stop();
    clock.advance(1_000);
    expect(polls).toEqual([0]);
  });
});
