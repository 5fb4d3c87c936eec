import { describe, expect, it } from '@jest/globals';
import {
  AuthUnauthorizedException,
  AuthUnavailableException,
} from '../../../lib/errors/auth.exception.js';
import { AuthMeter } from '../../../lib/events/auth-meter.service.js';

describe('AuthMeter', () => {
  it('counts by label, and knows nothing of what never happened', () => {
    const meter = new AuthMeter();
    meter.count('polls', 'failed');
    meter.count('polls', 'failed', 2);
    meter.count('purgedRows', 'log', 0);
    expect([...meter.read('polls')]).toEqual([['failed', 3]]);
    expect([...meter.read('purgedRows')]).toEqual([['log', 0]]);
    expect(meter.read('hints').size).toBe(0);
  });

  it('counts a refusal once, at whichever edge it passes first, and 503s apart', async () => {
    const meter = new AuthMeter();
    const refusal = new AuthUnauthorizedException('token_revoked', 'The token has been revoked.');
    await expect(meter.refusalsOf(Promise.reject(refusal))).rejects.toBe(refusal);
    meter.refuse(refusal);
    meter.refuse(new AuthUnavailableException('storage_unavailable', 'Try again.'));
    expect([...meter.read('refusals')]).toEqual([['token_revoked', 1]]);
    expect([...meter.read('unavailable')]).toEqual([['storage_unavailable', 1]]);
  });

  it('counts no error of others', () => {
    const meter = new AuthMeter();
    meter.refuse(new Error('of the application'));
    meter.refuse(undefined);
    expect(meter.read('refusals').size + meter.read('unavailable').size).toBe(0);
  });

  it('tells how long a poll took, and keeps the last value of a level', () => {
    const meter = new AuthMeter();
    const seen: number[] = [];
    meter.watchPolls((milliseconds) => seen.push(milliseconds));
    meter.observePoll(7);
    meter.set('eventsLost', 2);
    expect(seen).toEqual([7]);
    expect([...meter.read('polls')]).toEqual([['ok', 1]]);
    expect(meter.level('eventsLost')).toBe(2);
    expect(meter.level('pendingUnnumbered')).toBe(0);
  });
});
