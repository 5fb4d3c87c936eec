import { Controller, Get, Logger, UseGuards } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { randomUUID } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import 'reflect-metadata';
import { mintToken, SHARED_SECRET } from '../../support/mint-token.js';
import { secretKid } from '../../../lib/options/key-material.js';
import type { Act, Boot } from './acts.js';
import type { BuildSettings } from './build-process.js';

/*
 * One build of the library behind Fastify, by its public API alone: files inside of it may have moved
 * from one build to the other. Requests are injected, so that no socket is measured.
 */

interface Pair {
  readonly access_token: string;
  readonly refresh_token: string;
}

interface Claims {
  readonly iss: string;
  readonly sub: string;
  readonly jti: string;
  readonly sid: string;
  readonly gen: number;
}

const ISSUER = 'nestjs-logout-quickstart';
const LIFE = 3_600;
const TOKENS = 2_048;

const { entry, dataSource } = JSON.parse(process.env['BENCH_GATE'] ?? '{}') as BuildSettings;
const library = (await import(
  pathToFileURL(entry).href
)) as typeof import('../../../lib/index.js');

@Controller('guarded')
@UseGuards(library.JwtAuthGuard)
class GuardedController {
  @Get()
  get(): { ok: boolean } {
    return { ok: true };
  }
}

Logger.overrideLogger(['error']);
const module = await Test.createTestingModule({
  imports: [
    library.AuthModule.forRoot({
      secret: SHARED_SECRET,
      issuer: ISSUER,
      audience: ISSUER,
      accessTokenTtl: LIFE,
      // A poll now and then would be measured with an act; what a poll costs is another bench.
      maxStaleness: 60,
      bootTimeout: 600,
      migrations: 'run',
      dataSource,
      http: { verifyCredentials: ({ username }) => ({ subject: username }) },
    }),
  ],
  controllers: [GuardedController],
}).compile();
const app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), {
  logger: ['error'],
});
const boot = await load();
const revocation = app.get(library.RevocationService, { strict: false });
const logouts = app.get(library.LogoutService, { strict: false });

const seen = Array.from({ length: TOKENS }, mint);
let turn = 0;
let unseen: string[] = [];
let pairs: Pair[] = [];
let asked: Claims[] = [];
const kid = secretKid(SHARED_SECRET);

/** What happens before a block, untimed, and in it. */
const acts: Readonly<
  Record<Act, { prepare?: (count: number) => Promise<void>; run: (i: number) => unknown }>
> = {
  'guarded request, token seen': {
    run: () => request(200, 'GET', '/guarded', seen[turn++ % TOKENS]),
  },
  'guarded request, token never seen': {
    prepare: async (count) => {
      unseen = Array.from({ length: count }, mint);
    },
    run: (i) => request(200, 'GET', '/guarded', unseen[i]),
  },
  login: {
    prepare: async () => {
      pairs = [];
    },
    run: async () => pairs.push(await logIn()),
  },
  refresh: {
    prepare: haveSessions,
    run: async (i) => {
      const { refresh_token } = pairs[i] as Pair;
      pairs[i] = await request<Pair>(200, 'POST', '/auth/refresh', undefined, { refresh_token });
    },
  },
  logout: { prepare: haveSessions, run: logOut },
  'logout, 64 at once': {
    prepare: async (count) => {
      asked = Array.from({ length: count }, claims);
    },
    run: (i) => logouts.logout(withTimes(asked[i] as Claims)),
  },
  'decision, nothing revoked': {
    prepare: async (count) => {
      asked = Array.from({ length: count }, claims);
    },
    run: (i) => decide(asked[i], 'active'),
  },
  'decision, session revoked': {
    prepare: async () => {
      asked = Array.from({ length: 256 }, claims);
      await Promise.all(asked.map((token) => logouts.logout(withTimes(token))));
    },
    run: (i) => decide(asked[i % asked.length], 'revoked'),
  },
};

process.on('message', ({ act, count }: { act: Act; count: number }) => {
  measure(act, count).then(
    (cpu) => process.send?.(cpu),
    (error: unknown) => {
      console.error(error);
      pairs = [];
      process.send?.(null);
    },
  );
});
process.once('disconnect', () => void app.close().finally(() => process.exit(0)));
process.send?.(boot);

async function load(): Promise<Boot> {
  globalThis.gc?.();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = performance.now();
  const cpu = process.cpuUsage();
  await app.init();
  const { user, system } = process.cpuUsage(cpu);
  const wall = performance.now() - start;
  delay.disable();
  const { ready, entries } = app.get(library.RevocationService, { strict: false }).status();
  if (!ready) throw new Error('The log was not loaded within bootTimeout.');
  return { cpu: (user + system) / 1000, wall, stall: delay.max / 1e6, entries };
}

async function measure(act: Act, count: number): Promise<number> {
  const { prepare, run } = acts[act];
  await prepare?.(count);
  // The memory of the preparation is not collected within the block, and timers run here.
  globalThis.gc?.();
  await setImmediate();
  const start = process.cpuUsage();
  if (act.endsWith('at once')) {
    for (let done = 0; done < count; done += 64) {
      await Promise.all(Array.from({ length: 64 }, (_, i) => run(done + i)));
    }
  } else if (act.startsWith('decision')) {
    for (let i = 0; i < count; i++) run(i);
  } else {
    for (let i = 0; i < count; i++) await run(i);
  }
  const { user, system } = process.cpuUsage(start);
  if (act === 'logout') pairs = [];
  return (user + system) / 1000;
}

async function haveSessions(count: number): Promise<void> {
  while (pairs.length < count) pairs.push(await logIn());
}

function logIn(): Promise<Pair> {
  const username = `user-${turn++}`;
  return request<Pair>(200, 'POST', '/auth/login', undefined, { username, password: 'any' });
}

function logOut(i: number): Promise<unknown> {
  return request(204, 'POST', '/auth/logout', pairs[i]?.access_token);
}

function decide(token: Claims | undefined, state: string): void {
  const verdict = revocation.decide(token as Claims, { kid });
  if ((verdict as { state?: string }).state !== state) {
    throw new Error(`A decision is ${JSON.stringify(verdict)} instead of ${state}.`);
  }
}

async function request<T>(
  expected: number,
  method: 'GET' | 'POST',
  url: string,
  token?: string,
  payload?: object,
): Promise<T> {
  const response = await app.inject({
    method,
    url,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...(payload === undefined ? {} : { payload }),
  });
  if (response.statusCode !== expected) {
    throw new Error(`${url} answered ${response.statusCode}: ${response.payload}`);
  }
  return (response.payload === '' ? undefined : JSON.parse(response.payload)) as T;
}

function mint(): string {
  const exp = Math.floor(Date.now() / 1000) + LIFE;
  return mintToken({ sub: `user-${randomUUID()}`, exp });
}

function claims(): Claims {
  return { iss: ISSUER, sub: randomUUID(), jti: randomUUID(), sid: randomUUID(), gen: 1 };
}

/** As a caller passes the claims of a token that it has verified. */
function withTimes(token: Claims): Claims & { readonly iat: number; readonly exp: number } {
  const iat = Math.floor(Date.now() / 1000);
  return { ...token, iat, exp: iat + LIFE };
}
