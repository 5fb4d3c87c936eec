import { randomBytes } from 'node:crypto';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { startSharedPostgres } from '../../support/shared-postgres.js';

/** A PostgreSQL database that one bench owns. */
export interface BenchPostgres {
  readonly url: string;
  readonly options: DataSourceOptions;
  readonly stop: () => Promise<void>;
}

/**
 * Starts the tests' embedded PostgreSQL, with fsync on as it comes, or takes the server of
 * `TEST_POSTGRES_URL`; `undefined` where neither runs.
 */
export async function startPostgres(): Promise<BenchPostgres | undefined> {
  try {
    const given = process.env['TEST_POSTGRES_URL'];
    const own = given === undefined ? await startSharedPostgres({ isDurable: true }) : undefined;
    const server = given ?? own?.url ?? '';
    const name = `logout_bench_${randomBytes(6).toString('hex')}`;
    await ask(`${server}/postgres`, `CREATE DATABASE ${name}`);
    const url = `${server}/${name}`;
    return {
      url,
      options: { type: 'postgres', url },
      stop: async () => {
        await ask(`${server}/postgres`, `DROP DATABASE ${name} WITH (FORCE)`);
        await own?.stop();
      },
    };
  } catch (error) {
    process.stderr.write(`  no PostgreSQL: ${String(error)}\n`);
    return undefined;
  }
}

async function ask(url: string, sql: string): Promise<void> {
  const dataSource = await new DataSource({ type: 'postgres', url }).initialize();
  try {
    await dataSource.query(sql);
  } finally {
    await dataSource.destroy();
  }
}
