import { POOL_SIZE } from '../support/internals.js';
import { Test } from '@nestjs/testing';
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { Client, Pool } from 'pg';
import { AuthModule } from '../../lib/auth.module.js';
import { LogoutService } from '../../lib/logout/logout.service.js';
import { postgresHint } from '../../lib/postgres/postgres.hint.js';
import { readMessage } from '../../lib/revocation/push/push-message.js';
import type { RevocationHint } from '../../lib/options/revocation-hint.js';
import { RevocationService } from '../../lib/revocation/revocation.service.js';
import { atLeast, atMost, type BenchTable, type Figure } from './bench.js';
import { Distribution } from './distribution.js';
import { progress } from './progress.js';
import { against, describe, race, type Write } from './race.js';
import { untilHeard } from './support/bench-hints.js';
import { type BenchPostgres, startPostgres } from './support/postgres.js';
import { runIfMain } from './run-if-main.js';

const CALLERS = 64;
const ISSUER = 'https://issuer.bench';
/** What an application would pass to such a peer. */
const LARGE_POOL = 8;

/** One way to log out, with a listener for its notifications. */
interface Told {
  readonly write: Write;
  /** Whether the listener has been notified of everything. */
  readonly isAllHeard: () => boolean;
  readonly close: () => Promise<void>;
}

/**
 * 64 callers whose logouts are durable and notified, beside an insert and a notification for each.
 */
export async function run(): Promise<BenchTable> {
  const server = await startPostgres();
  const figures = server === undefined ? [] : await measure(server).finally(() => server.stop());
  const title = '64 callers, durable and told to all';
  return { title, node: process.versions.node, figures };
}

async function measure(server: BenchPostgres): Promise<Figure[]> {
  progress('64 concurrent logouts, durable and told to all');
  const ours = await openOurs(server);
  const same = await openPeer(server.url, POOL_SIZE);
  const large = await openPeer(server.url, LARGE_POOL);
  const all: readonly Told[] = [ours, same, large];
  try {
    const paces = await race({
      ours: { write: ours.write, callers: CALLERS },
      again: { write: ours.write, callers: CALLERS },
      same: { write: same.write, callers: CALLERS },
      large: { write: large.write, callers: CALLERS },
    });
    for (let i = 0; i < 250 && !all.every((each) => each.isAllHeard()); i++) await setTimeout(20);
    const over = against(paces);
    return [
      atLeast(
        `64 callers, durable and told, against INSERT and NOTIFY for each on ${POOL_SIZE} connections, as many as ours`,
        over('ours', 'same'),
        'x',
        5,
        `${describe(paces.ours)}; peer ${describe(paces.same)}`,
      ),
      atMost(
        '64 callers, durable and told, p99',
        new Distribution(paces.ours.latencies).at(0.99),
        'ms',
        2,
        `peer ${new Distribution(paces.same.latencies).at(0.99).toFixed(2)} ms`,
      ),
      {
        name: `the same rate against the peer on ${LARGE_POOL} connections`,
        value: over('ours', 'large'),
        unit: 'x',
        note: `peer ${describe(paces.large)}`,
      },
      { name: 'ours against ours (A/A control)', value: over('again', 'ours'), unit: 'x' },
      atMost(
        'of the three, those whose listener never heard of the last logout',
        all.filter((each) => !each.isAllHeard()).length,
        '',
        0,
      ),
    ];
  } finally {
    for (const { close } of all) await close();
  }
}

/** Our module, and its logout of a session that was not logged out before. */
async function openOurs({ options }: BenchPostgres): Promise<Told> {
  let heard = 0;
  let last = 0;
  const hint = overhear(postgresHint(), (position) => (heard = Math.max(heard, position)));
  const module = await Test.createTestingModule({
    imports: [
      AuthModule.forRoot({
        secret: 'a secret of the benches: 32 bytes or more',
        issuer: ISSUER,
        audience: 'https://audience.bench',
        migrations: 'run',
        dataSource: options,
        hint,
      }),
    ],
  }).compile();
  const app = await module.init();
  await untilHeard(app.get(RevocationService));
  const logout = app.get(LogoutService);
  return {
    isAllHeard: () => heard >= last,
    close: () => app.close(),
    write: async () => {
      const iat = Math.floor(Date.now() / 1000);
      const claims = { iss: ISSUER, sub: 'user', sid: randomUUID(), iat, exp: iat + 300 };
      const { events } = await logout.logout(claims);
      last = Math.max(last, events[0]?.position ?? 0);
    },
  };
}

function overhear(hint: RevocationHint, listener: (position: number) => void): RevocationHint {
  return {
    ...hint,
    connect: (context) =>
      hint.connect({
        ...context,
        hear: (payload) => {
          listener(readMessage(payload)?.position ?? 0);
          context.hear(payload);
        },
      }),
  };
}

/** One statement, and so one transaction and one round trip, for each logout: the peer at its best. */
async function openPeer(url: string, size: number): Promise<Told> {
  const table = `told_token_${size}`;
  const pool = new Pool({ connectionString: url, max: size });
  await pool.query(
    `CREATE TABLE ${table} (jti varchar(36) PRIMARY KEY, "expiresAt" bigint NOT NULL)`,
  );
  await pool.query(`CREATE INDEX ON ${table} ("expiresAt")`);
  const listener = new Client({ connectionString: url });
  await listener.connect();
  let heard = 0;
  let written = 0;
  listener.on('notification', () => heard++);
  await listener.query(`LISTEN ${table}`);
  const text =
    `WITH told AS (INSERT INTO ${table} (jti, "expiresAt") VALUES ($1, $2) RETURNING jti) ` +
    `SELECT pg_notify('${table}', jti) FROM told`;
  return {
    isAllHeard: () => heard >= written,
    close: async () => {
      await listener.end();
      await pool.end();
    },
    write: async () => {
      await pool.query({ name: 'tell', text, values: [randomUUID(), Date.now()] });
      written++;
    },
  };
}

await runIfMain(import.meta.url, run);
