import { jest } from '@jest/globals';
import { performance } from 'node:perf_hooks';
import type { DataSource } from 'typeorm';
import { eventually } from './eventually.js';
import type { Instance } from './instance.js';
import { COMMIT, type TcpProxy } from './tcp-proxy.js';

/** One row of `auth_event`, with the columns that the rules name. */
export interface EventRow {
  readonly position: number;
  readonly id: string;
  readonly kind: string;
  readonly key: string;
  readonly killsBelow: number | null;
  readonly issuedBefore: number | null;
  readonly until: number | null;
  readonly createdAt: number;
}

type Cell = string | number | Buffer | null;

/** The whole log, in order of position, read without the library's own readers. */
export async function readEvents(dataSource: DataSource): Promise<EventRow[]> {
  const rows = (await dataSource.query(
    `SELECT * FROM auth_event WHERE kind <> 'history' ORDER BY position`,
  )) as Record<string, Cell>[];
  return rows.map((row) => ({
    position: Number(row['position']),
    id: hex(row['event_id']),
    kind: String(row['kind']),
    key: hex(row['event_key']),
    killsBelow: numberOf(row['kills_below']),
    issuedBefore: numberOf(row['issued_before']),
    until: numberOf(row['keep_until']),
    createdAt: Number(row['created_at']),
  }));
}

/** The last position that was handed out. */
export async function headPosition(dataSource: DataSource): Promise<number> {
  const [row] = (await dataSource.query(`SELECT position FROM auth_head`)) as { position: Cell }[];
  return Number(row?.position);
}

/** How many events wait to be numbered. */
export async function countPending(dataSource: DataSource): Promise<number> {
  const [row] = (await dataSource.query(`SELECT COUNT(*) AS count FROM auth_pending`)) as {
    count: Cell;
  }[];
  return Number(row?.count);
}

/**
 * How many transactions on this database wait for the lock on the head, while another one holds it.
 */
export async function countLockWaits(dataSource: DataSource): Promise<number> {
  const sql =
    dataSource.options.type === 'postgres'
      ? `SELECT COUNT(*) AS count FROM pg_stat_activity ` +
        `WHERE datname = current_database() AND wait_event_type = 'Lock'`
      : // Not innodb_trx: it is a cache that frequent readers prevent from being refreshed.
        `SELECT COUNT(*) AS count FROM information_schema.processlist ` +
        `WHERE db = DATABASE() AND id <> CONNECTION_ID() AND info LIKE '%FOR UPDATE'`;
  const [row] = (await dataSource.query(sql)) as { count: Cell }[];
  return Number(row?.count);
}

/** How often a poll may reach its time limit, which is real time, on a busy machine. */
const LATE_POLLS = 20;

/** Makes an instance poll the log now, as its timer would. */
export async function follow(instance: Instance): Promise<void> {
  const { feed } = instance;
  for (let late = 0; !(await feed.strictProof()); late++) {
    const isLate = /did not answer the poll within/.test(String(feed.failure));
    if (isLate && late < LATE_POLLS) continue;
    throw new Error('The log could not be followed.', { cause: feed.failure });
  }
}

/** The claims that a token carries, unverified. */
export function claimsIn(token: string): Readonly<Record<string, unknown>> & {
  readonly gen: number;
  readonly iat: number;
  readonly exp: number;
  readonly sid: string;
  readonly jti: string;
} {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

/**
 * Takes the lock on the head from outside, so that no event can be numbered; the result releases
 * it.
 */
export async function holdHead(dataSource: DataSource): Promise<() => Promise<void>> {
  const runner = dataSource.createQueryRunner();
  await runner.connect();
  await runner.startTransaction();
  await runner.query('SELECT position FROM auth_head WHERE id = 1 FOR UPDATE');
  return async () => {
    await runner.rollbackTransaction();
    await runner.release();
  };
}

/** A minute later, for a caller that checks how long it has been trying. */
let later: { mockRestore(): void } | undefined;

/**
 * Loses the answer to the next COMMIT, and then the database: the retry does not get through, and
 * then the time limit of the caller is over. {@link reconnect} ends it.
 *
 * @param fate - `'cut'`: it was not committed. `'swallow answer'`: it was.
 */
export async function loseCommit(proxy: TcpProxy, fate: 'cut' | 'swallow answer'): Promise<void> {
  await proxy.next(COMMIT, fate);
  proxy.refuse();
  const before = proxy.refused;
  await eventually(() => proxy.refused > before);
  const now = performance.now.bind(performance);
  later = jest.spyOn(performance, 'now').mockImplementation(() => now() + 60_000);
}

/** The database is there again, and the instance follows it. */
export async function reconnect(proxy: TcpProxy, instance: Instance): Promise<void> {
  later?.mockRestore();
  proxy.admit();
  await eventually(() => instance.feed.strictProof());
}

/** The state of a promoted standby or a restored backup that lacks the last commits. */
export async function loseAllAfter(
  { dataSource }: Pick<Instance, 'dataSource'>,
  position: number,
): Promise<void> {
  await dataSource.query(`DELETE FROM auth_event WHERE position > ${position}`);
  await dataSource.query(
    `UPDATE auth_head SET position = ${position}, last_event_id = ` +
      `(SELECT event_id FROM auth_event WHERE position = ${position})`,
  );
}

function hex(cell: Cell | undefined): string {
  return Buffer.isBuffer(cell) ? cell.toString('hex') : String(cell);
}

function numberOf(cell: Cell | undefined): number | null {
  return cell === null || cell === undefined ? null : Number(cell);
}
