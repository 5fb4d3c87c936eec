import { describe, expect, it } from '@jest/globals';
import { mayActWithCookies } from '../../../lib/platform/cookies.js';

describe('mayActWithCookies', () => {
  it('the host of a handshake is read from Host alone, which no client of Mercurius can add', () => {
    const from = (origin: string, forwarded: string): boolean =>
      mayActWithCookies(
        {
          // As Fastify reads them where it trusts a proxy.
          host: 'evil.example',
          ips: ['192.0.2.1'],
          method: 'GET',
          headers: {
            upgrade: 'websocket',
            host: 'app.example',
            origin,
            'x-forwarded-host': forwarded,
          },
        } as Parameters<typeof mayActWithCookies>[0],
        new Set(),
      );
    // A list is what several proxies send: of that the first would count.
    for (const forwarded of ['evil.example', 'evil.example, evil.example']) {
      const allowed = ['https://evil.example', 'https://app.example'].filter((origin) =>
        from(origin, forwarded),
      );
      expect({ forwarded, allowed }).toEqual({ forwarded, allowed: ['https://app.example'] });
    }
  });
});
