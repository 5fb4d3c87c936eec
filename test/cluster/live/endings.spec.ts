import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AccountService, LiveSockets } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { setImmediate } from 'node:timers/promises';
import { sqlite, type TestDatabase } from '../../support/databases.js';
import { controlPolls } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { AuthMeter } from '../../support/internals.js';
import { KINDS, LiveServer, RENEWING } from './live-server.js';

describe('open connections on one instance, and revocations on another', () => {
  let database: TestDatabase;
  let there: Instance;
  let server: LiveServer;
  let here: Instance;

  beforeAll(async () => {
    database = await sqlite.migrated();
    there = await startInstance(database, { clock: new TestClock() });
    server = await LiveServer.start(database, { clock: new TestClock() });
    here = server.instance;
  });

  afterAll(async () => {
    await server?.close();
    await there?.close();
    await database?.drop();
  });

  const watched = (): number => here.app.get(AuthMeter).watched;
  /** What a push or the next poll does; the lease of a TestClock never lapses. */
  const heard = (): Promise<boolean> => here.feed.strictProof();

  it.each([
    ['sse', undefined],
    [
      'socket.io',
      { status: 'error', statusCode: 401, code: 'session_ended', reason: 'password_changed' },
    ],
    ['ws', '4401 session_ended'],
    ['graphql-ws', '4401 session_ended'],
    ['subscription', undefined],
  ] as const)('%s ends after a password change elsewhere, and reports why', async (kind, why) => {
    const [kept, ended] = [await there.login(kind), await there.login(kind)];
    await heard();
    const open = await server.connect(kind, kept);
    const closed = await server.connect(kind, ended);
    const keepSession = (await there.tokens.verify(kept)).sid;
    await there.app.get(AccountService).passwordChanged(kind, { keepSession });
    await heard();
    await eventually(() => !closed.isOpen && (why === undefined || closed.why !== undefined));
    if (typeof why === 'object') expect(closed.why).toMatchObject(why);
    else if (why !== undefined) expect(closed.why).toBe(why);
    expect(open.isOpen).toBe(true);
    open.close();
    await eventually(() => watched() === 0);
  });

  it.each(RENEWING)('%s: a renewed token replaces the old one on the open socket', async (kind) => {
    const [old, renewed, others] = [
      await here.login('alice'),
      await here.login('alice'),
      await here.login('mallory'),
    ];
    const connection = await server.connect(kind, old);
    expect(await connection.renew(others)).toBe('token_invalid');
    expect(await connection.renew('rubbish')).toBe('token_malformed');
    expect(await connection.renew(renewed)).toBe('renewed');
    expect(watched()).toBe(1);
    await there.logout.logout(old);
    await heard();
    await setImmediate();
    expect(connection.isOpen).toBe(true);
    await there.logout.logout(renewed);
    await heard();
    await eventually(() => !connection.isOpen);
    expect(watched()).toBe(0);
  });

  it.each([
    ['no token', undefined, 'token_missing'],
    ['an object', { token: 'x' }, 'token_malformed'],
    ['rubbish', 'x'.repeat(9_000), 'token_malformed'],
  ])('socket.io: a handshake with %s is refused with its code', async (_, token, code) => {
    const connection = await server.connect('socket.io', token as string);
    await eventually(() => !connection.isOpen);
    expect(connection.why).toMatchObject({ status: 'error', code });
    expect(watched()).toBe(0);
  });

  it('ws: an expired or revoked token is refused at the handshake, and a closed socket is not watched', async () => {
    const token = await here.login('bob');
    const [early] = [await server.connect('ws', token)];
    early.close();
    await eventually(() => watched() === 0);
    await here.logout.logout(token);
    const late = await server.connect('ws', token);
    expect(late.why).toBe('4401 session_ended');
    const gone = {
      readyState: 3,
      close: () => undefined,
      terminate: () => undefined,
      once: () => 0,
    };
    expect(await here.app.get(LiveSockets).accept(gone, await here.login('bob'))).toBeUndefined();
    expect(watched()).toBe(0);
  });

  it('all connections close within the lease while freshness cannot be proven', async () => {
    const token = await here.login('stale');
    const all = await Promise.all(KINDS.map((kind) => server.connect(kind, token)));
    const polls = await controlPolls(here);
    polls.fail();
    expect(await here.feed.strictProof()).toBe(false);
    (here.clock as TestClock).advance(4_900);
    await eventually(() => all.every(({ isOpen }) => !isOpen));
    expect(all[2]?.why).toBe('4503 revocation_state_unknown');
    expect(all[1]?.why).toMatchObject({ code: 'revocation_state_unknown' });
    expect(watched()).toBe(0);
  });
});
