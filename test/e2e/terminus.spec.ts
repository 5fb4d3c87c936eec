import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { HealthIndicatorService } from '@nestjs/terminus';
import { isDeepStrictEqual } from 'node:util';
import type { RevocationService } from 'nestjs-logout';
import { AuthHealthIndicator } from 'nestjs-logout/terminus';
import { eventually } from '../support/eventually.js';
import { describeOn, serverKinds, type TestDatabase } from '../support/databases.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { startWatched, type WatchedApp } from '../support/watched-app.js';

/** Short, so that an instance is stale soon; the time is not measured. */
const OPTIONS = { maxStaleness: 1, staleWait: 0, bootTimeout: 0 } as const;

describeOn(serverKinds, 'the health indicator', (kind) => {
  describe.each(['express', 'fastify'] as const)('on %s', (platform) => {
    let database: TestDatabase;
    let proxy: TcpProxy;
    let through: TestDatabase;
    let app: WatchedApp | undefined;

    beforeEach(async () => {
      database = await kind.migrated();
      ({ proxy, through } = await TcpProxy.before(database));
    });

    afterEach(async () => {
      await app?.close();
      app = undefined;
      await proxy?.close();
      await database?.drop();
    });

    const start = async (): Promise<WatchedApp> => {
      app = await startWatched(platform, through.options, { options: OPTIONS });
      return app;
    };

    /** Status of the answer, of the indicator, and its state. */
    const ask = async (which: 'live' | 'ready' | 'fresh'): Promise<unknown[]> => {
      const { status, body } = await (app as WatchedApp).client.send(`GET /health/${which}`);
      const { details } = body as { details: Record<string, { status: string; state: string }> };
      const [detail] = Object.values(details);
      return [status, detail?.status, detail?.state];
    };

    /** Ready again; asked until it is, because a busy machine is sometimes late for a poll. */
    const isFresh = (which: 'ready' | 'fresh'): Promise<void> =>
      eventually(async () => isDeepStrictEqual(await ask(which), [200, 'up', 'fresh']));

    it('the health check is not ready before the first complete load, and alive', async () => {
      proxy.refuse();
      await start();
      expect(await ask('live')).toEqual([200, 'up', 'loading']);
      expect(await ask('ready')).toEqual([503, 'down', 'loading']);
      proxy.admit();
      await isFresh('ready');
    });

    it('the health check stays up but degraded while the database is away, and down only by option', async () => {
      const { login, logout, client } = await start();
      await eventually(async () => (await ask('ready'))[0] === 200);
      const token = await login();
      await logout.logout(await login());
      expect((await client.send('GET /health/ready')).body).toMatchObject({
        status: 'ok',
        details: {
          revocation: {
            position: expect.any(Number),
            entries: 1,
            hint: 'off',
            contradicted: false,
          },
        },
      });

      proxy.refuse();
      await eventually(async () => (await ask('ready'))[2] === 'stale');
      expect(await ask('live')).toEqual([200, 'up', 'stale']);
      expect(await ask('ready')).toEqual([200, 'degraded', 'stale']);
      expect(await ask('fresh')).toEqual([503, 'down', 'stale']);
      expect((await client.send('GET /me', { token })).status).toBe(503);

      proxy.admit();
      await isFresh('fresh');
      await isFresh('ready');
      await eventually(async () => (await client.send('GET /me', { token })).status === 200);
    });
  });
});

describe('the health indicator with terminus 11, which has no `degraded`', () => {
  it('the health check stays up and shows in the details that it is stale', () => {
    const of = (status: string) => (details: object) => ({ key: { ...details, status } });
    const session = { up: of('up'), down: of('down') };
    const terminus = { check: () => session } as unknown as HealthIndicatorService;
    const status = { ready: true, fresh: false, staleness: 9, position: 4, entries: 2 };
    const revocation = { status: () => status } as unknown as RevocationService;
    const indicator = new AuthHealthIndicator(revocation, terminus);
    expect(indicator.isReady()).toMatchObject({ key: { state: 'stale', status: 'up' } });
    expect(indicator.isReady('key', { failWhenStale: true })).toMatchObject({
      key: { state: 'stale', status: 'down' },
    });
  });

  it('the health check is ready on a process that only writes, and names no override', () => {
    const terminus = {
      check: () => ({ up: (details: object) => ({ key: { ...details, status: 'up' } }) }),
    } as unknown as HealthIndicatorService;
    const until = new Date();
    const override = { staleFor: Infinity, until, actor: 'dora' };
    const nothing = { ready: false, fresh: false, staleness: null, position: 0, entries: 0 };
    const status = { ...nothing, following: false, override };
    const revocation = { status: () => status } as unknown as RevocationService;
    const answer = new AuthHealthIndicator(revocation, terminus).isReady();
    expect(answer).toMatchObject({
      key: { state: 'writes only', status: 'up', overriddenUntil: until },
    });
    expect(JSON.stringify(answer)).not.toContain('dora');
  });
});
