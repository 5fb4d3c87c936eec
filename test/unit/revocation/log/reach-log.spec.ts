import { describe, expect, it } from '@jest/globals';
import { reachLog } from '../../../../lib/revocation/log/log-connection.service.js';

describe('a log that cannot be opened is a 503', () => {
  const failure = new Error('no such host');

  it.each([
    ['where opening it fails', () => Promise.reject(failure)],
    [
      'where it throws at once',
      () => {
        throw failure;
      },
    ],
  ])('the caller gets 503: %s', async (_, open) => {
    const refusal = await reachLog({ open }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'storage_unavailable', cause: failure });
  });
});
