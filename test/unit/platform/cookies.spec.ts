import { describe, expect, it } from '@jest/globals';
import { mayActWithCookies } from '../../../lib/platform/cookies.js';

describe('mayActWithCookies', () => {
  it('takes the host of a handshake from Host alone, which no client of Mercurius can add', () => {
    const from = (origin: string): boolean =>
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
            'x-forwarded-host': 'evil.example',
          },
        } as Parameters<typeof mayActWithCookies>[0],
        new Set(),
      );
    expect([from('https://evil.example'), from('https://app.example')]).toEqual([false, true]);
  });
});
