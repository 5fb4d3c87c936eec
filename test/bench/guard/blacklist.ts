import { randomUUID } from 'node:crypto';
import { DataSource, type DataSourceOptions, type Repository } from 'typeorm';
import { RevokedToken } from './recipe.js';

/** How many rows the peers' tables hold; ours is asked with ten times as many. */
const ROWS = 100_000;

/** A table of revoked tokens as the peers ask it. */
export interface Blacklist {
  readonly name: string;
  readonly rows: Repository<RevokedToken>;
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
  return { blacklist: { name, rows }, close: () => dataSource.destroy() };
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
