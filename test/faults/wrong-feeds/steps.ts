import type { DataSource, QueryRunner } from 'typeorm';
import {
  BOUND,
  type PollAnswer,
  type SimulatedCluster,
  type SimulatedInstance,
} from './simulated-cluster.js';

/** A row, every value as text. */
export type Row = Readonly<Record<string, string>>;

/** Asks one statement, outside every transaction. */
export async function ask(
  dataSource: DataSource,
  sql: string,
  values: unknown[] = [],
): Promise<Row[]> {
  return (await dataSource.query(sql, values)) as Row[];
}

/** Starts a transaction and runs these in it. */
export async function begin(dataSource: DataSource, ...statements: string[]): Promise<QueryRunner> {
  const runner = dataSource.createQueryRunner();
  await runner.startTransaction();
  for (const sql of statements) await runner.query(sql);
  return runner;
}

/** Commits and releases the connection. */
export async function commit(runner: QueryRunner): Promise<void> {
  await runner.commitTransaction();
  await runner.release();
}

/** Treats every answer as a proof. */
export const fresh = (rows: readonly Row[]): PollAnswer => ({
  ended: rows.map((row) => row['sid'] ?? ''),
  isFresh: true,
});

/** Two polls after the last write, and then a request when the bound is over. */
export async function lookAfterBound(
  { time }: SimulatedCluster,
  follower: SimulatedInstance,
  session: string,
): Promise<void> {
  await follower.poll();
  time.pass(BOUND);
  await follower.poll();
  await follower.me(session);
}
