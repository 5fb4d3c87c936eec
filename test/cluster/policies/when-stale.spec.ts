import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { followAgain, listenForErrors } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';
import { follow, loseCommit, reconnect } from '../../support/log-tables.js';
import { age, all, cutOff, listen, PoliciesController, statusOfAll } from './support.js';

const PLATFORM = { PostgreSQL: 'express', MariaDB: 'fastify', SQLite: 'express' } as const;

describe('@WhenStale(): how requests are answered while freshness cannot be proven', () => {
  describeOn(serverKinds, 'an instance whose database is away', (kind) => {
    let database: TestDatabase;
    let proxy: TcpProxy;
    let here: Instance;
    let there: Instance;
    let url: string;
    let token: string;
    let ended: string;

    const start = async (options: object = {}): Promise<void> => {
      const before = await TcpProxy.before(database);
      proxy = before.proxy;
      here = await startInstance(before.through, {
        clock: new TestClock(),
        controllers: [PoliciesController],
        platform: PLATFORM[kind.name],
        options: { staleWait: 0, accessTokenTtl: '2h', ...options },
      });
      await here.app.listen(0, '127.0.0.1');
      url = (await here.app.getUrl()).replace('[::1]', '127.0.0.1');
    };

    beforeEach(async () => {
      database = await kind.migrated();
      there = await startInstance(database, {
        clock: new TestClock(),
        options: { accessTokenTtl: '2h' },
      });
      token = await there.login('alice');
      ended = await there.login('alice');
      await there.logout.logout(ended);
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      proxy?.admit();
      await here?.close();
      await there?.close();
      await proxy?.close();
      await database?.drop();
    });

    it('the policy of the route decides, and never accepts a token that is known to be revoked', async () => {
      await start();
      await follow(here);
      expect(await statusOfAll(url, token)).toEqual(all(200));
      expect(await statusOfAll(url, ended)).toEqual(all(401));

      await cutOff(here, proxy);
      const unknown = all(503, { open: 200, minute: 200, 'fresh-or-minute': 200 });
      // The lease has not lapsed: only what asks for more than it is refused.
      age(here, 3_000);
      expect(await statusOfAll(url, token)).toEqual(
        all(200, { fresh: 503, 'fresh-or-minute': 200, strict: 503 }),
      );
      age(here, 7_000);
      expect(await statusOfAll(url, token)).toEqual(unknown);
      expect(await statusOfAll(url, ended)).toEqual(all(401));
      age(here, 47_000);
      expect(await statusOfAll(url, token)).toEqual(unknown);
      // 0.98 of a minute, by the clock that runs fastest.
      age(here, 2_000);
      expect(await statusOfAll(url, token)).toEqual(all(503, { open: 200 }));
      age(here, 3_600_000);
      expect(await statusOfAll(url, token)).toEqual(all(503, { open: 200 }));
      expect(await statusOfAll(url, ended)).toEqual(all(401));
    });

    it('a token that was logged out elsewhere meanwhile is accepted by the policy and reported, and refused after the next proof', async () => {
      await start();
      await follow(here);
      await cutOff(here, proxy);
      await there.logout.logout(token);
      age(here, 10_000);
      const events = listen(here);
      expect(await statusOfAll(url, token)).toEqual(
        all(503, { open: 200, minute: 200, 'fresh-or-minute': 200 }),
      );
      const uses = events.filter(({ type }) => type === 'accepted_stale');
      expect(uses.map(({ reason }) => reason)).toEqual(['open', 'stale_for', 'stale_for']);
      expect(uses[0]?.session).toMatch(/^[0-9a-f]{32}$/);
      proxy.admit();
      await followAgain(here);
      expect(await statusOfAll(url, token)).toEqual(all(401));
    });

    // The rest knows neither platform nor database.
    if (kind.name !== 'PostgreSQL') return;

    it('the policy of the module applies to routes without one', async () => {
      await start({ whenStale: { staleFor: '30s' } });
      await follow(here);
      await cutOff(here, proxy);
      age(here, 20_000);
      const loose = { open: 200, minute: 200, 'fresh-or-minute': 200 };
      expect(await statusOfAll(url, token)).toEqual(all(503, { ...loose, plain: 200 }));
      age(here, 10_000);
      expect(await statusOfAll(url, token)).toEqual(all(503, loose));
      expect(here.revocation.status()).toMatchObject({
        fresh: false,
        whenStale: { staleFor: 30 },
        contradicted: false,
      });
    });

    it('a policy opens nothing before the first complete load (P4)', async () => {
      const before = await TcpProxy.before(database);
      proxy = before.proxy;
      proxy.refuse();
      jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
      const dataSource = before.through.options;
      here = await startInstance(database, {
        controllers: [PoliciesController],
        options: {
          dataSource,
          staleWait: 0,
          bootTimeout: 0,
          whenStale: 'open',
          accessTokenTtl: '2h',
        },
      });
      await here.app.listen(0, '127.0.0.1');
      url = await here.app.getUrl();
      expect(await statusOfAll(url, token)).toEqual(all(503));
      proxy.admit();
      await eventually(() => here.feed.ready);
      expect((await statusOfAll(url, token))['open']).toBe(200);
    });

    it('a policy opens nothing after the log contradicted the index, until the next proof', async () => {
      await start({ whenStale: 'open' });
      listenForErrors();
      await follow(here);
      expect(await statusOfAll(url, token)).toEqual(all(200));
      await there.dataSource.query('UPDATE auth_head SET format = 99');
      here.feed.request();
      await eventually(() => here.feed.failing);
      proxy.refuse();
      expect(here.revocation.status()).toMatchObject({ contradicted: true, staleness: null });
      expect(await statusOfAll(url, token)).toEqual(all(503));
      age(here, 10_000);
      expect(await statusOfAll(url, token)).toEqual(all(503));
      await there.dataSource.query('UPDATE auth_head SET format = 1');
      proxy.admit();
      await followAgain(here);
      expect(here.revocation.status().contradicted).toBe(false);
      expect(await statusOfAll(url, token)).toEqual(all(200));
    });

    it('a policy opens nothing for a token whose own logout is in doubt (W4)', async () => {
      await start({ whenStale: 'open' });
      await follow(here);
      const lost = loseCommit(proxy, 'cut');
      await expect(here.logout.logout(token)).rejects.toMatchObject({ status: 503 });
      await lost;
      const other = await there.login('alice');
      expect(await statusOfAll(url, token)).toEqual(all(503));
      here.feed.request();
      await eventually(() => here.feed.failing);
      age(here, 10_000);
      expect(await statusOfAll(url, token)).toEqual(all(503));
      expect((await statusOfAll(url, other))['open']).toBe(200);
      await reconnect(proxy, here);
    });

    it('a policy opens nothing for a token that is ahead of the log after a proof (G5)', async () => {
      await start({ whenStale: 'open' });
      const since = { position: 1_000, now: there.clock.wall() };
      const lost = await there.sessions.login({ subject: 'alice' }, { since });
      // Only the first: then the log has jumped beyond it (H2), and it is decided like any other.
      expect(await here.judge(lost.accessToken)).toBe('revocation_state_unknown');
    });

    it('a request waits for staleWait and no longer when the database hangs', async () => {
      await start({ staleWait: '250ms' });
      await follow(here);
      proxy.freeze();
      age(here, 10_000);
      let statuses: Record<string, number> | undefined;
      void statusOfAll(url, token).then((all) => (statuses = all));
      await eventually(() => {
        age(here, 250);
        return statuses !== undefined;
      });
      expect(statuses).toEqual(all(503, { open: 200, minute: 200, 'fresh-or-minute': 200 }));
      proxy.thaw();
    });

    it('a policy accepts a user who logged in elsewhere while this instance was cut off', async () => {
      await start();
      await follow(here);
      await cutOff(here, proxy);
      await there.logout.logoutSession('of somebody');
      const young = await there.login('bob');
      age(here, 10_000);
      expect(await statusOfAll(url, young)).toEqual(
        all(503, { open: 200, minute: 200, 'fresh-or-minute': 200 }),
      );
    });

    it('logout and refresh work as usual where the database allows', async () => {
      await start({ whenStale: 'open' });
      await follow(here);
      const login = await here.sessions.login(async () => ({ subject: 'carol' }));
      await cutOff(here, proxy);
      age(here, 10_000);
      await expect(here.logout.logout(token)).rejects.toMatchObject({ status: 503 });
      await expect(here.sessions.refresh(login?.refreshToken ?? '')).rejects.toMatchObject({
        status: 503,
      });
      proxy.admit();
      const renewed = await here.sessions.refresh(login?.refreshToken ?? '');
      await here.logout.logout(renewed.accessToken);
      // At once, whatever the last proof says: its own logout it knows (P1).
      expect(await statusOfAll(url, renewed.accessToken)).toEqual(all(401));
    });
  });
});
