import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { AuthClock } from 'nestjs-logout';
import { describeOn, postgres } from '../../support/databases.js';
import type { Instance } from '../../support/instance.js';
import { mintToken, SHARED_SECRET } from '../../support/mint-token.js';
import { QuickstartProcess } from '../../support/quickstart-process.js';
import { COMMIT, type Fate } from '../../support/tcp-proxy.js';
import { NEVER_WAIT } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';
import { follow } from '../../support/log-tables.js';
import { Cluster } from './cluster.js';

/** The bound of these processes (s). */
const MAX_STALENESS = 1;

const ISSUER = 'nestjs-logout-quickstart';

/** As in the quick-start, so that both understand the same tokens; time is real here. */
const AS_QUICKSTART = { issuer: ISSUER, audience: ISSUER } as const;
const witness = (cluster: Cluster): Promise<Instance> =>
  cluster.instance({ clock: new AuthClock(), options: AS_QUICKSTART });

/** Where a process that logs out a user is killed, and whether the event is there afterwards. */
const KILLS: readonly (readonly [string, RegExp, Fate, boolean])[] = [
  ['before its event is written', /INSERT INTO [^;]*auth_event/, 'cut', false],
  ['before its COMMIT arrives', COMMIT, 'cut', false],
  ['after its COMMIT, before it applies and answers it', COMMIT, 'swallow answer', true],
];

describeOn([postgres], 'failures of processes', () => {
  let cluster: Cluster;
  let env: Readonly<Record<string, string>>;

  beforeEach(async () => {
    cluster = await Cluster.start();
    env = {
      DATABASE_URL: cluster.database.url,
      AUTH_SECRET: SHARED_SECRET,
      MAX_STALENESS: String(MAX_STALENESS),
    };
  });

  afterEach(() => cluster?.close());

  it('E12: process paused past its lease, requests in its sockets: none is decided by the old proof', async () => {
    const { network, through } = await cluster.network();
    const other = await witness(cluster);
    const paused = await QuickstartProcess.start({ ...env, DATABASE_URL: through.url });
    const [ended, spared] = [mintToken(), mintToken()];
    for (const token of [ended, spared]) expect(await paused.me(token)).toBe(200);
    const open = await Promise.all([ended, spared].map(() => Line.to(paused.url)));
    for (const line of open) expect(await line.ask(spared)).toBe(200);

    paused.pause();
    // On connections that it has, and on some that it has not yet accepted.
    const fresh = await Promise.all([ended, spared].map(() => Line.to(paused.url)));
    const waiting = [...open, ...fresh].map((line, place) =>
      line.ask(place % 2 === 0 ? ended : spared),
    );
    await other.logout.logout(ended);
    await setTimeout(MAX_STALENESS * 1_000);
    // Without a database there is no newer proof: a request that is decided now uses the old one.
    network.refuse();
    paused.resume();
    expect(await Promise.all(waiting)).toEqual([503, 503, 503, 503]);
    network.admit();
    await eventually(async () => (await paused.me(spared)) === 200);
    expect(await paused.me(ended)).toBe(401);

    // And with it: a 503, or a decision that knows of the logout.
    const [later] = [mintToken()];
    expect(await paused.me(later)).toBe(200);
    paused.pause();
    const lines = await Promise.all([later, spared].map(() => Line.to(paused.url)));
    const answers = [lines[0]?.ask(later), lines[1]?.ask(spared)];
    await other.logout.logout(later);
    await setTimeout(MAX_STALENESS * 1_000);
    paused.resume();
    expect([401, 503]).toContain(await answers[0]);
    expect([200, 503]).toContain(await answers[1]);
    await eventually(async () => (await paused.me(later)) === 401);
  });

  it('E14: event loop blocked with a poll’s answer in the socket: the proof is dated when the poll was sent', async () => {
    const options = { ...AS_QUICKSTART, ...NEVER_WAIT, maxStaleness: '1s' } as const;
    const here = await cluster.instance({ clock: new AuthClock(), options });
    const there = await QuickstartProcess.start(env);
    const token = mintToken();
    expect(await here.judge(token)).toBe('active');

    const { database } = await here.open();
    const poll = database.poll.bind(database);
    const blocked = new Promise<void>((resolve) => {
      jest.spyOn(database, 'poll').mockImplementationOnce((statement, _timeout, onSend) =>
        // No limit: else the answer would be thrown away for being late, and prove nothing anyway.
        poll(statement, 60_000, () => {
          onSend();
          setImmediate(() => {
            logOutAndBlock(there.url, token);
            resolve();
          });
        }),
      );
    });
    const proven = here.feed.proofWithin(0, 60_000);
    await blocked;
    expect(await proven).toBe(true);
    expect(here.proofs.age()).toBeGreaterThanOrEqual(2_000);
    expect(here.proofs.isFresh()).toBe(false);
    // The answer was made before the logout, which has long been answered elsewhere.
    expect(['revocation_state_unknown', 'session_ended']).toContain(await here.judge(token));
    await follow(here);
    expect(await here.judge(token)).toBe('session_ended');
  });

  it('E15: killed at each step of a logout: all instances see it or none, and the retry ends the token', async () => {
    const other = await witness(cluster);
    await Promise.all(
      KILLS.map(async ([step, pattern, fate, isWritten]) => {
        const { network, through } = await cluster.network();
        const instance = await QuickstartProcess.start({
          ...env,
          DATABASE_URL: through.url,
          MAX_STALENESS: '10',
        });
        const token = mintToken();
        let gone: Promise<void> | undefined;
        network.watch((bytes) => {
          if (gone !== undefined || !pattern.test(bytes)) return 'pass';
          gone = instance.kill();
          return fate;
        });
        await expect(instance.logout(token)).rejects.toThrow('fetch failed');
        await gone;
        await eventually(async () => {
          await follow(other);
          const isSeen = (await other.judge(token)) === 'session_ended';
          return isSeen === isWritten;
        });
        const again = await instance.restart();
        expect([step, await again.me(token)]).toEqual([step, isWritten ? 401 : 200]);
        expect([step, await again.logout(token)]).toEqual([step, 204]);
        expect([step, await again.me(token)]).toEqual([step, 401]);
        await follow(other);
        expect([step, await other.judge(token)]).toEqual([step, 'session_ended']);
      }),
    );
  });
});

/** A connection that is kept open; its bytes are in the socket whenever they are read. */
class Line {
  private constructor(private readonly socket: Socket) {}

  static async to(url: string): Promise<Line> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    return new Line(socket);
  }

  /** The status of a guarded read. */
  async ask(token: string): Promise<number> {
    this.socket.write(`GET /me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    const [bytes] = (await once(this.socket, 'data')) as [Buffer];
    return Number(bytes.toString('latin1', 9, 12));
  }
}

/** Blocks this process for two bounds, in which a user logs out at another one. */
function logOutAndBlock(url: string, token: string): void {
  const script = `
    const headers = { authorization: 'Bearer ' + process.env.TOKEN };
    const answer = await fetch(process.env.URL + '/auth/logout', { method: 'POST', headers });
    if (answer.status !== 204) throw new Error('answered ' + answer.status);
    await new Promise((resolve) => setTimeout(resolve, ${2 * MAX_STALENESS * 1_000}));`;
  execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    env: { URL: url, TOKEN: token },
  });
}
