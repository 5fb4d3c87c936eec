import Database from 'better-sqlite3';
import { randomBytes } from 'node:crypto';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { progress } from '../progress.js';

type Row = [position: number, id: Buffer, key: Buffer, until: number, created: number];

const COLUMNS = 'position, event_id, kind, event_key, access_only, keep_until, reason, created_at';
const RAISE = 'UPDATE auth_head SET position = ?, last_event_id = ? WHERE id = 1';
/** How long the events are kept (ms): longer than any run. */
const LIVE = 6 * 3_600_000;

/** Writes so many unexpired events into an existing log: what a cold start has to load. */
export async function fillLog(options: DataSourceOptions, count: number): Promise<void> {
  progress(`${count.toLocaleString('en-US')} events`);
  if (options.type === 'better-sqlite3') fillSqlite(options.database as string, count);
  else await fillServer(options, count);
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

/** One statement, in which the server counts. */
async function fillServer(options: DataSourceOptions, count: number): Promise<void> {
  const dataSource = await new DataSource(options).initialize();
  const now = Date.now();
  const rest = `0, ${now + LIVE}, 'logout', ${now}`;
  const rows =
    options.type === 'postgres'
      ? `SELECT n, decode(lpad(to_hex(n), 32, '0'), 'hex'), 'session', decode(md5(n || 'key'), 'hex'), ${rest} ` +
        `FROM generate_series(1, ${count}) n`
      : `SELECT seq, UNHEX(LPAD(HEX(seq), 32, '0')), 'session', UNHEX(MD5(CONCAT(seq, 'key'))), ${rest} ` +
        `FROM seq_1_to_${count}`;
  const [place, other] = options.type === 'postgres' ? ['$1', '$2'] : ['?', '?'];
  await dataSource.query(`INSERT INTO auth_event (${COLUMNS}) ${rows}`);
  await dataSource.query(RAISE.replace('?', place).replace('?', other), [count, eventId(count)]);
  await dataSource.query(`ANALYZE ${options.type === 'postgres' ? '' : 'TABLE '}auth_event`);
  await dataSource.destroy();
}

/** Unexpired events in commit order, a thousand at a time. */
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
