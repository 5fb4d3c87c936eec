import { randomUUID } from 'node:crypto';
import { createClient } from 'redis';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { RevokedToken } from './recipe.js';

/** How many rows the peers' tables hold; ours is asked with ten times as many. */
const ROWS = 100_000;

/** Revoked tokens as the peers ask for them. */
export interface Blacklist {
  readonly name: string;
  readonly isRevoked: (jti: string) => Promise<boolean>;
}

/** A database of this bench and the way to be rid of it. */
export interface Opened {
  readonly blacklist: Blacklist;
  readonly close: () => Promise<void>;
}

/** Makes the peers' table and fills it. */
export async function openBlacklist(name: string, options: DataSourceOptions): Promise<Opened> {
  const dataSource = await new DataSource({
    ...options,
    entities: [RevokedToken],
    synchronize: true,
  } as DataSourceOptions).initialize();
  const rows = dataSource.getRepository(RevokedToken);
  const expiresAt = Date.now() + 3_600_000;
  for (let written = 0; written < ROWS; written += 1_000) {
    const page = Array.from({ length: 1_000 }, () => ({ jti: randomUUID(), expiresAt }));
    await rows.insert(page);
  }
  const isRevoked = async (jti: string): Promise<boolean> =>
    (await rows.findOne({ where: { jti } })) !== null;
  return { blacklist: { name, isRevoked }, close: () => dataSource.destroy() };
}

/** Fills a Redis on this machine; `undefined` where none answers. */
export async function openRedisBlacklist(name: string): Promise<Opened | undefined> {
  const prefix = `nestjs-logout:bench:${randomUUID()}:`;
  const redis = createClient({ socket: { connectTimeout: 1_000, reconnectStrategy: false } });
  // What fails is reported by the call.
  redis.on('error', () => undefined);
  try {
    await redis.connect();
  } catch {
    return undefined;
  }
  for (let written = 0; written < ROWS; written += 1_000) {
    await Promise.all(
      Array.from({ length: 1_000 }, () =>
        redis.set(prefix + randomUUID(), '1', { expiration: { type: 'EX', value: 3_600 } }),
      ),
    );
  }
  const isRevoked = async (jti: string): Promise<boolean> =>
    (await redis.get(prefix + jti)) !== null;
  return { blacklist: { name, isRevoked }, close: async () => redis.destroy() };
}

/** Whether better-sqlite3 was compiled for the Node that runs. */
export async function hasSqlite(): Promise<boolean> {
  try {
    const { default: Database } = await import('better-sqlite3');
    new Database(':memory:').close();
    return true;
  } catch {
    return false;
  }
}
