import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { natsHint } from '../../../lib/nats/nats.hint.js';
import { postgresHint } from '../../../lib/postgres/postgres.hint.js';
import { redisHint } from '../../../lib/redis/redis.hint.js';
import type { RevocationHint } from '../../../lib/options/revocation-hint.js';
import type { RevocationService } from '../../../lib/revocation/revocation.service.js';

/** A push option by its name, so that it can be passed to another process. */
export type HintName = 'postgres' | 'redis' | 'nats';

const REDIS = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';
const NATS = process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222';

export function hintOf(name: HintName | undefined): RevocationHint | undefined {
  if (name === 'postgres') return postgresHint();
  if (name === 'redis') return redisHint({ url: REDIS });
  return name === 'nats' ? natsHint({ servers: NATS }) : undefined;
}

/**
 * Whether the server of a push option runs; the log's own server always does where anything is
 * measured.
 */
export async function hasServer(name: HintName | undefined): Promise<boolean> {
  if (name === undefined || name === 'postgres') return true;
  const { hostname, port } = new URL(name === 'redis' ? REDIS : NATS);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Resolves when an instance receives its own push notification; at once without the option. */
export async function untilHeard(revocation: RevocationService): Promise<void> {
  while (!['off', 'listening'].includes(revocation.status().hint)) await setTimeout(5);
}
