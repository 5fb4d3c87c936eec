import { describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { PollFailures } from '../../../../lib/revocation/feed/revocation-feed.service.js';

jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
jest.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);

const INTERVAL = 1_250;

describe('the pause before the next poll', () => {
  it('the pause is the interval, and up to a fifth less', () => {
    const pauses = Array.from({ length: 200 }, () => new PollFailures().pause(INTERVAL));
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(INTERVAL * 0.8);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(INTERVAL);
  });

  it('the pause is short after one failure, and random up to the interval after several', () => {
    const after = (count: number): number[] =>
      Array.from({ length: 500 }, () => {
        const failures = new PollFailures();
        for (let each = 0; each < count; each++) failures.add(new Error('away'));
        return failures.pause(INTERVAL);
      });
    expect(Math.max(...after(1))).toBeLessThanOrEqual(100);
    const late = after(20);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(50);
    expect(Math.max(...late)).toBeLessThanOrEqual(INTERVAL);
    // In no tenth of the interval more than a quarter of all instances.
    for (let from = 0; from < INTERVAL; from += INTERVAL / 10) {
      const here = late.filter((pause) => pause >= from && pause < from + INTERVAL / 10);
      expect(here.length).toBeLessThan(125);
    }
  });

  it('the pause is normal again after the first success', () => {
    const failures = new PollFailures();
    failures.add(new Error('away'));
    expect(failures.count).toBe(1);
    failures.end();
    expect(failures).toMatchObject({ count: 0, last: undefined });
    expect(failures.pause(INTERVAL)).toBeGreaterThanOrEqual(INTERVAL * 0.8);
  });
});
