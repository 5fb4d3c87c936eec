import { describe } from '@jest/globals';
import type { RevocationHint } from 'nestjs-logout';
import { natsHint } from 'nestjs-logout/nats';
import { postgresHint } from 'nestjs-logout/postgres';
import { redisHint } from 'nestjs-logout/redis';
import type { TestDatabase } from './databases.js';
import { TcpProxy } from './tcp-proxy.js';

/**
 * A push option whose receiving end a test can cut off; the log's own connections are not touched.
 */
export interface ProxiedHint {
  readonly hint: RevocationHint;
  readonly proxy: TcpProxy;
}

/** A kind of push option, with a real server behind it. */
export interface HintKind {
  readonly name: 'PostgreSQL' | 'Redis' | 'NATS';
  readonly available: boolean;
  direct(): RevocationHint;
  through(database: TestDatabase): Promise<ProxiedHint>;
}

const redisUrl = process.env['TEST_REDIS_URL'];
const natsUrl = process.env['TEST_NATS_URL'];

/** All kinds; their log is on PostgreSQL. */
export const hintKinds: readonly HintKind[] = [
  {
    name: 'PostgreSQL',
    available: true,
    direct: () => postgresHint(),
    through: async (database) => {
      const { proxy, through } = await TcpProxy.before(database);
      return { hint: postgresHint({ url: through.url }), proxy };
    },
  },
  {
    name: 'Redis',
    available: redisUrl !== undefined,
    direct: () => redisHint({ url: redisUrl ?? '' }),
    through: async () => {
      const url = new URL(redisUrl ?? '');
      const proxy = await TcpProxy.to(url.hostname, Number(url.port));
      url.host = proxy.address;
      return { hint: redisHint({ url: url.href }), proxy };
    },
  },
  {
    name: 'NATS',
    available: natsUrl !== undefined,
    direct: () => natsHint({ servers: natsUrl ?? '' }),
    through: async () => {
      const url = new URL(natsUrl ?? '');
      const proxy = await TcpProxy.to(url.hostname, Number(url.port));
      // A server reports the addresses of others to its clients, which would lead past the proxy.
      return { hint: natsHint({ servers: proxy.address, ignoreClusterUpdates: true }), proxy };
    },
  },
];

/** One `describe` for each kind of push option, skipped by name where the server is missing. */
export function describeWithHints(title: string, body: (kind: HintKind) => void): void {
  for (const kind of hintKinds) {
    const run = kind.available && process.env['TEST_POSTGRES_URL'] ? describe : describe.skip;
    run(`${title} with ${kind.name}`, () => body(kind));
  }
}
