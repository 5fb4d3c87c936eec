import { AuthWiringError, importPeer } from '../errors/auth-wiring.error.js';
import type { HintConnection, HintContext, RevocationHint } from '../options/revocation-hint.js';

/** How long to wait for a connection (ms). */
const CONNECT_LIMIT = 3_000;

/** The options of {@link natsHint}. @publicApi */
export interface NatsHintOptions {
  /** One server or a list: `'host:4222'`, or `'tls://host'` with TLS. */
  servers: string | string[];
  /** Any other option of `connect()` of `@nats-io/transport-node`: `token`, `user`, `pass`, `tls`, … */
  readonly [option: string]: unknown;
}

/**
 * Push notifications with a NATS subject (core NATS, no JetStream). Each instance uses one connection.
 * Nothing is stored in NATS. While it is down, instances learn of a logout with their next poll.
 *
 * @throws AuthWiringError if `servers` is missing; at boot if the package `@nats-io/transport-node` is
 * missing.
 *
 * @see https://docs.nats.io/nats-concepts/core-nats/pubsub
 *
 * @example
 * ```ts
 * import { natsHint } from 'nestjs-logout/nats';
 *
 * const options = { hint: natsHint({ servers: '127.0.0.1:4222' }) };
 * ```
 * @publicApi
 */
export function natsHint(options: NatsHintOptions): RevocationHint {
  const servers: unknown = [options?.servers].flat();
  if (!(servers as unknown[]).every((server) => typeof server === 'string' && server !== '')) {
    throw new AuthWiringError(
      'natsHint({ servers }) was called without a server.',
      "Pass 'host:4222', or a list. If it comes from an environment variable, check that the variable is set.",
    );
  }
  return {
    name: 'nats',
    whenUnheard: 'Check that its user may publish and subscribe to nestjs_logout_*.',
    prepare: async () => void (await load()),
    connect: (context) => subscribe(context, options),
  };
}

function load(): Promise<typeof import('@nats-io/transport-node')> {
  const name = '@nats-io/transport-node';
  return importPeer('natsHint()', name, () => import('@nats-io/transport-node'));
}

async function subscribe(context: HintContext, options: NatsHintOptions): Promise<HintConnection> {
  const { connect } = await load();
  const connection = await connect({
    ...options,
    name: 'nestjs-logout hint',
    timeout: CONNECT_LIMIT,
    reconnect: false, // PushLink reconnects, with its own backoff.
  });
  void connection
    .closed()
    .then((error) => context.lost(error ?? new Error('The connection was closed.')));
  connection.subscribe(context.channel, {
    callback: (error, message) => {
      if (error === null) context.hear(message.string());
      else context.lost(error);
    },
  });
  return {
    tell: async (payload) => {
      connection.publish(context.channel, payload);
      await connection.flush();
    },
    close: () => connection.close(),
  };
}
