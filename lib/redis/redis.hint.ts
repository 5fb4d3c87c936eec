import { AuthWiringError, importPeer } from '../errors/auth-wiring.error.js';
import type { HintConnection, HintContext, RevocationHint } from '../options/revocation-hint.js';
import { withinTime } from '../platform/async-calls.js';

/** How long to wait for a connection (ms). */
const CONNECT_LIMIT = 3_000;

type RedisClient = ReturnType<(typeof import('redis'))['createClient']>;

/** The options of {@link redisHint}. @publicApi */
export interface RedisHintOptions {
  /** The URL: `redis://…`, or `rediss://…` with TLS. It may contain a password, so do not log it. */
  url: string;
  /** Any other option of `createClient()` of the package `redis`: `username`, `socket: { ca }`, … */
  readonly [option: string]: unknown;
}

/**
 * Push notifications with Redis (or Valkey) pub/sub. Each instance uses two connections. Nothing is stored in
 * Redis, so it may be restarted or emptied at any time. While it is down, instances learn of a logout with
 * their next poll.
 *
 * @throws AuthWiringError if `url` is not a Redis URL; at boot if the package `redis` is missing.
 *
 * @see https://redis.io/docs/latest/develop/pubsub/
 *
 * @example
 * ```ts
 * import { redisHint } from 'nestjs-logout/redis';
 *
 * const options = { hint: redisHint({ url: 'redis://127.0.0.1:6379' }) };
 * ```
 * @publicApi
 */
export function redisHint(options: RedisHintOptions): RevocationHint {
  if (typeof options?.url !== 'string' || !/^rediss?:\/\/./.test(options.url)) {
    throw new AuthWiringError(
      'redisHint({ url }) was called with a url that is not a Redis URL.',
      'Pass redis://user:password@host:port, or rediss:// with TLS. If it comes from an environment variable, check that the variable is set.',
    );
  }
  return {
    name: 'redis',
    whenUnheard: 'Check that its user may publish and subscribe to nestjs_logout_* (ACL).',
    prepare: async () => void (await load()),
    connect: (context) => subscribe(context, options),
  };
}

function load(): Promise<typeof import('redis')> {
  return importPeer('redisHint()', 'redis', () => import('redis'));
}

async function subscribe(context: HintContext, options: RedisHintOptions): Promise<HintConnection> {
  const { createClient } = await load();
  const publisher = createClient({
    ...options,
    socket: {
      ...(options['socket'] as object | undefined),
      connectTimeout: CONNECT_LIMIT,
      // PushLink reconnects, with its own backoff. Commands must not wait for a new connection.
      reconnectStrategy: false,
    },
    disableOfflineQueue: true,
  });
  const clients = [publisher, publisher.duplicate()] as const;
  const close = async (): Promise<void> => {
    for (const client of clients) if (client.isOpen) client.destroy();
  };
  for (const client of clients) client.on('error', (error) => context.lost(error));
  try {
    // `connectTimeout` covers only the TCP connection. Without this limit, each attempt at a Redis that hangs
    // would leave a socket open.
    await withinTime(
      start(clients, context),
      CONNECT_LIMIT,
      `Redis was silent for ${CONNECT_LIMIT / 1000} s.`,
    );
  } catch (error) {
    await close();
    throw error;
  }
  return {
    tell: async (payload) => void (await publisher.publish(context.channel, payload)),
    close,
  };
}

async function start(
  [publisher, subscriber]: readonly [RedisClient, RedisClient],
  { channel, hear }: HintContext,
): Promise<void> {
  await Promise.all([publisher.connect(), subscriber.connect()]);
  // The connections must not keep a process alive that is done, such as a script.
  for (const client of [publisher, subscriber]) client.unref();
  await subscriber.subscribe(channel, (payload) => hear(payload));
}
