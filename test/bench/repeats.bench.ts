import { monitorEventLoopDelay } from 'node:perf_hooks';
import { TestClock } from '../../lib/testing/test-clock.js';
import { type Instance, startInstance } from '../support/instance.js';
import { atMost, type BenchTable, type Figure } from './bench.js';
import { progress, times } from './progress.js';
import { startPostgres } from './support/postgres.js';
import { runIfMain } from './run-if-main.js';

const REPEATS = times(1_000, 100);
const SESSIONS = times(20_000, 500);
const PAGES = times(100, 10);
/** Used refresh tokens of a session that are kept. */
const MOST_USED = 100;
const ACCESS_TTL = 900_000;

/** What grows in the database, and what one request reads, if a client repeats it (S5-S7). */
export async function run(): Promise<BenchTable> {
  const postgres = await startPostgres();
  const title = 'Asking twice';
  const { node } = process.versions;
  if (postgres === undefined) return { title, node, figures: [] };
  const clock = new TestClock();
  const instance = await startInstance(
    { url: postgres.url, options: postgres.options, drop: postgres.stop },
    { clock, options: { maxSessions: false } },
  );
  try {
    return {
      title,
      node,
      figures: [
        ...(await repeatedLogouts(instance)),
        ...(await rotations(instance, clock)),
        ...(await lists(instance)),
      ],
    };
  } finally {
    await instance.close();
    await postgres.stop();
  }
}

/** S5: ending an ended session writes nothing. */
async function repeatedLogouts(instance: Instance): Promise<Figure[]> {
  progress(`${REPEATS} times the same logout`);
  const token = await instance.login('alice');
  await instance.logout.logout(token);
  const before = await sizeOf(instance, 'auth_event');
  for (let i = 0; i < REPEATS; i++) await instance.logout.logout(token);
  const after = await sizeOf(instance, 'auth_event');
  return [
    atMost(
      `rows in the log after ${REPEATS} repeats of a logout`,
      after.rows - before.rows,
      'rows',
      0,
      `${after.bytes - before.bytes} bytes of rows`,
    ),
  ];
}

/** S7: used refresh tokens are bounded. */
async function rotations(instance: Instance, clock: TestClock): Promise<Figure[]> {
  progress(`${REPEATS} rotations of one session`);
  const result = await instance.sessions.login(() => ({ subject: 'bob' }));
  const before = await sizeOf(instance, 'auth_refresh');
  let token = result?.refreshToken ?? '';
  for (let i = 0; i < REPEATS; i++) {
    // As often as a session may be refreshed.
    clock.advance(ACCESS_TTL / 20 + 1);
    token = (await instance.sessions.refresh(token)).refreshToken ?? '';
  }
  const after = await sizeOf(instance, 'auth_refresh');
  const refusal = await instance.sessions
    .refresh(token)
    .catch(({ code }: { code: string }) => code);
  return [
    atMost(
      `rows of refresh tokens after ${REPEATS} rotations of a session`,
      after.rows - before.rows,
      'rows',
      MOST_USED,
      `${after.bytes - before.bytes} bytes of rows; one more at once: ${String(refusal)}`,
    ),
  ];
}

/** S6: a request reads a page, however many sessions an account has. */
async function lists(instance: Instance): Promise<Figure[]> {
  progress(`an account with ${SESSIONS} sessions`);
  for (let i = 0; i < 10; i++) await instance.login('few');
  await instance.login('many');
  await instance.dataSource.query(
    `INSERT INTO auth_session (session_key, sid, subject_key, subject, gen, kid, delivery, ` +
      `created_at, last_seen_at, idle_until, expires_at) ` +
      `SELECT decode(md5(n::text), 'hex'), n::text, subject_key, subject, gen, kid, delivery, ` +
      `created_at - n, last_seen_at, idle_until, expires_at FROM auth_session, ` +
      `generate_series(1, ${SESSIONS}) n WHERE subject = 'many'`,
  );
  await instance.dataSource.query('ANALYZE auth_session');
  const few = await pages(instance, 'few');
  const many = await pages(instance, 'many');
  return [
    atMost(
      `a page of ${SESSIONS} sessions, as a multiple of a list of 10`,
      many.each / few.each,
      'x',
      10,
      `${many.rows} rows; the event loop stood still for ${many.stall.toFixed(1)} ms at most, ` +
        `beside the short list ${few.stall.toFixed(1)} ms`,
    ),
  ];
}

async function pages(
  { sessions }: Instance,
  subject: string,
): Promise<{ each: number; stall: number; rows: number }> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  await sessions.list(subject);
  delay.enable();
  const started = performance.now();
  let rows = 0;
  for (let i = 0; i < PAGES; i++) rows = (await sessions.list(subject)).length;
  const each = (performance.now() - started) / PAGES;
  delay.disable();
  return { each, stall: delay.max / 1e6, rows };
}

async function sizeOf(
  { dataSource }: Instance,
  table: string,
): Promise<{ rows: number; bytes: number }> {
  const [row] = (await dataSource.query(
    `SELECT COUNT(*) AS rows, COALESCE(SUM(pg_column_size(t)), 0) AS bytes FROM ${table} t`,
  )) as { rows: unknown; bytes: unknown }[];
  return { rows: Number(row?.rows), bytes: Number(row?.bytes) };
}

await runIfMain(import.meta.url, run);
