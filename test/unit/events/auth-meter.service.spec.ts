import { describe, expect, it } from '@jest/globals';
import {
  AuthUnauthorizedException,
  AuthUnavailableException,
} from '../../../lib/errors/auth.exception.js';
import { AuthMeter } from '../../../lib/events/auth-meter.service.js';

describe('AuthMeter', () => {
  it('known codes start at 0, and other codes are not exported', () => {
    const { refusals } = new AuthMeter();
    expect(refusals.token_expired).toBe(0);
    expect(refusals).not.toHaveProperty('csrf_refused');
  });

  it('a refusal is counted once, by the first call that it passes, and 503s separately', async () => {
    const meter = new AuthMeter();
    const refusal = new AuthUnauthorizedException('account_locked', 'The account is locked.');
    await expect(Promise.reject(refusal).catch(meter.refused)).rejects.toBe(refusal);
    meter.refuse(refusal);
    meter.refuse(new AuthUnavailableException('storage_unavailable', 'Try again.'));
    expect(meter.refusals.account_locked).toBe(1);
    expect(meter.unavailable.storage_unavailable).toBe(1);
    expect(meter.refusals).not.toHaveProperty('storage_unavailable');
  });

  it('callers that share a 503 each get their own copy, and each is counted', async () => {
    const meter = new AuthMeter();
    const cause = new Error('the database is away');
    const details = { cause, retryAfter: 4 };
    const shared = new AuthUnavailableException('no_signing_key', 'No key signs now.', details);
    const refused = (): Promise<unknown> =>
      Promise.reject(shared)
        .catch(meter.refusedEach)
        .catch((error: unknown) => error);
    const [one, two] = [await refused(), await refused()];
    expect(new Set([shared, one, two]).size).toBe(3);
    const { code, message, headers } = shared;
    for (const own of [one, two]) expect(own).toMatchObject({ code, message, headers, cause });
    expect(meter.unavailable.no_signing_key).toBe(2);
  });

  it('errors of other code are not counted', () => {
    const meter = new AuthMeter();
    meter.refuse(new Error('of the application'));
    meter.refuse(undefined);
    const { refusals, unavailable } = new AuthMeter();
    expect([meter.refusals, meter.unavailable]).toEqual([refusals, unavailable]);
  });

  it('polls are counted, with their duration', () => {
    const meter = new AuthMeter();
    const seen: number[] = [];
    meter.watchPolls((milliseconds) => seen.push(milliseconds));
    meter.observePoll(7);
    expect(seen).toEqual([7]);
    expect(meter.polls).toEqual({ ok: 1, failed: 0 });
  });
});
