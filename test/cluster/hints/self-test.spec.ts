import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { AuthWiringError, type HintContext, type RevocationHint } from 'nestjs-logout';
import { natsHint } from 'nestjs-logout/nats';
import { postgresHint } from 'nestjs-logout/postgres';
import { redisHint } from 'nestjs-logout/redis';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, mariadb, sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { importPeer } from '../../support/internals.js';
import { clockOf, endSessions } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';

/** A message system for the test: it returns what is sent, unless it is set deaf. */
class Bus implements RevocationHint {
  readonly name = 'bus';
  readonly whenUnheard = 'Fix the bus.';
  readonly told: string[] = [];
  isDeaf = false;
  isAway = false;
  isStuck = false;
  attempts = 0;
  closed = 0;
  context: HintContext | undefined;

  async prepare(): Promise<void> {}

  async connect(context: HintContext): ReturnType<RevocationHint['connect']> {
    this.attempts++;
    if (this.isAway) throw new Error('The bus is away.');
    this.context = context;
    return {
      tell: async (payload) => {
        this.told.push(payload);
        if (this.isStuck) throw new Error('The bus is stuck.');
        if (!this.isDeaf) context.hear(payload);
      },
      close: async () => void this.closed++,
    };
  }
}

describe('the link of a push notification', () => {
  let database: TestDatabase;
  let here: Instance;
  const bus = { current: new Bus() };
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);

  const state = (): string => here.revocation.status().hint;
  const start = async (): Promise<void> => {
    here = await startInstance(database, {
      clock: new TestClock(),
      options: { hint: bus.current, maxStaleness: 3_600 },
    });
    await eventually(() => bus.current.attempts > 0);
  };

  beforeEach(async () => {
    database = await sqlite.migrated();
    bus.current = new Bus();
    warn.mockClear();
  });

  afterEach(async () => {
    await here?.close();
    await database?.drop();
  });

  it('the link is connecting, and listens once it has heard itself', async () => {
    bus.current.isDeaf = true;
    await start();
    expect(state()).toBe('connecting');
    bus.current.context?.hear(bus.current.told[0] ?? '');
    expect(state()).toBe('listening');
  });

  it('the link reports once that it hears nothing, keeps trying, and recovers', async () => {
    bus.current.isDeaf = true;
    await start();
    await eventually(() => bus.current.told.length > 0);
    clockOf(here).advance(2_000);
    expect(state()).toBe('polling only');
    for (let attempt = 2; attempt < 6; attempt++) {
      await eventually(() => {
        clockOf(here).advance(1_000);
        return bus.current.attempts >= attempt;
      });
    }
    const said = warn.mock.calls.map(([message]) => String(message));
    expect(said.filter((line) => line.includes('Fix the bus.'))).toHaveLength(1);
    bus.current.isDeaf = false;
    await eventually(() => {
      clockOf(here).advance(1_000);
      return state() === 'listening';
    });
    expect(bus.current.closed).toBe(bus.current.attempts - 1);
  });

  it('the link reconnects when it is lost, and then sends what it could not send', async () => {
    await start();
    await eventually(() => state() === 'listening');
    bus.current.isAway = true;
    bus.current.context?.lost(new Error('The bus has gone.'));
    expect(state()).toBe('polling only');
    await endSessions(here, 3);
    bus.current.isAway = false;
    await eventually(() => {
      clockOf(here).advance(100);
      return state() === 'listening';
    });
    expect(bus.current.told.at(-1)).toMatch(/:3$/);
  });

  it('the link tests itself after a silence, so that a dead connection is not taken for a quiet one', async () => {
    await start();
    await eventually(() => state() === 'listening');
    bus.current.isDeaf = true;
    clockOf(here).advance(60_000);
    await eventually(() => bus.current.told.length === 2);
    clockOf(here).advance(2_000);
    expect(state()).toBe('polling only');
  });

  it('a logout succeeds although no instance can be notified, and the application log reports it', async () => {
    await start();
    await eventually(() => state() === 'listening');
    bus.current.isStuck = true;
    const token = await here.login();
    await here.logout.logout(token);
    expect(await here.judge(token)).toBe('session_ended');
    await eventually(() => warn.mock.calls.some(([line]) => String(line).includes('is stuck')));
  });
});

describe('a push option that can never work stops the boot', () => {
  describeOn([sqlite, mariadb], 'postgresHint', (kind) => {
    it('postgresHint on another database stops the boot, and names the database and the alternative', async () => {
      const database = await kind.migrated();
      const starting = startInstance(database, { options: { hint: postgresHint() } });
      await expect(starting).rejects.toThrow(AuthWiringError);
      await expect(starting).rejects.toThrow(/needs a log on PostgreSQL[^]*1\. Use redisHint/);
      await database.drop();
    });
  });

  it('a missing driver stops the boot with the name of its package', async () => {
    const missing = Object.assign(new Error("Cannot find package 'redis' imported from …"), {
      code: 'ERR_MODULE_NOT_FOUND',
    });
    const loading = importPeer('redisHint()', 'redis', () => Promise.reject(missing));
    await expect(loading).rejects.toThrow(AuthWiringError);
    await expect(loading).rejects.toThrow('npm install redis');
    const broken = new Error('a fault inside the package');
    const failing = importPeer('redisHint()', 'redis', () => Promise.reject(broken));
    await expect(failing).rejects.toBe(broken);
  });

  it.each([
    ['redis', () => redisHint({ url: 'http://a:geheim@b' })],
    ['redis without a url', () => redisHint({ url: process.env['NOT_SET'] as string })],
    ['nats', () => natsHint({ servers: process.env['NOT_SET'] as string })],
    ['postgres', () => postgresHint({ url: 'mysql://a:geheim@b' })],
  ])('%s: a wrong address stops at its option, and the error does not repeat it', (_, make) => {
    expect(make).toThrow(AuthWiringError);
    expect(make).not.toThrow('geheim');
  });
});
