import Database from 'better-sqlite3';
import { randomBytes } from 'node:crypto';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { progress } from '../progress.js';

type Row = [position: number, id: Buffer, key: Buffer, until: number, created: number];

const COLUMNS = 'position, event_id, kind, event_key, access_only, keep_until, reason, created_at';
const RAISE = 'UPDATE auth_head SET position = ?, last_event_id = ? WHERE id = 1';
/** How long the events stay live (ms): longer than any run. */
const LIVE = 6 * 3_600_000;

/** Writes so many live events into a log whose tables exist: what a cold start has to load. */
export async function fillLog(options: DataSourceOptions, count: number): Promise<void> {
  progress(`${count.toLocaleString('en-US')} events`);
  if (options.type === 'better-sqlite3') fillSqlite(options.database as string, count);
  else await fillPostgres(options, count);
}

function fillSqlite(file: string, count: number): void {
  const handle = new Database(file);
  const insert = handle.prepare(
    `INSERT INTO auth_event (${COLUMNS}) VALUES (?, ?, 'session', ?, 0, ?, 'logout', ?)`,
  );
  for (const rows of pages(count)) {
    handle.transaction(() => rows.forEach((row) => insert.run(...row)))();
  }
  handle.prepare(RAISE).run(count, eventId(count));
  handle.close();
}

async function fillPostgres(options: DataSourceOptions, count: number): Promise<void> {
  const dataSource = await new DataSource(options).initialize();
  for (const rows of pages(count)) {
    await dataSource.query(
      `INSERT INTO auth_event (${COLUMNS}) SELECT p, e, 'session', k, 0, u, 'logout', c ` +
        'FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[]) t(p, e, k, u, c)',
      [0, 1, 2, 3, 4].map((column) => rows.map((row) => row[column])),
    );
  }
  let index = 0;
  await dataSource.query(
    RAISE.replaceAll('?', () => `$${++index}`),
    [count, eventId(count)],
  );
  await dataSource.query('ANALYZE auth_event');
  await dataSource.destroy();
}

/** Live events in commit order, a thousand at a time. */
function* pages(count: number): Generator<Row[]> {
  const now = Date.now();
  for (let written = 0; written < count; written += 1_000) {
    yield Array.from({ length: 1_000 }, (_, i): Row => {
      const position = written + i + 1;
      return [position, eventId(position), randomBytes(16), now + LIVE, now];
    });
  }
}

function eventId(position: number): Buffer {
  const id = Buffer.alloc(16);
  id.writeUIntBE(position, 10, 6);
  return id;
}
