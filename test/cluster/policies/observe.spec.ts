import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { AuthEvent } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { followAgain } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';
import { claimsIn, follow } from '../../support/log-tables.js';
import { age, all, cutOff, listen, PoliciesController, statusOfAll } from './support.js';

const DAY = 86_400_000;

describe('observe: decides, reports and accepts, until a date', () => {
  describeOn(serverKinds, 'an instance that only observes', (kind) => {
    let database: TestDatabase;
    let proxy: TcpProxy;
    let here: Instance;
    let url: string;
    let events: AuthEvent[];
    let warned: () => string[];

    beforeEach(async () => {
      const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
      warned = () => warn.mock.calls.map(([line]) => String(line));
      database = await kind.migrated();
      const before = await TcpProxy.before(database);
      proxy = before.proxy;
      here = await startInstance(database, {
        clock: new TestClock(),
        controllers: [PoliciesController],
        options: {
          dataSource: before.through.options,
          staleWait: 0,
          accessTokenTtl: '31d',
          observe: { until: new Date(Date.now() + DAY) },
        },
      });
      await here.app.listen(0, '127.0.0.1');
      url = await here.app.getUrl();
      events = listen(here);
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      proxy?.admit();
      await here?.close();
      await proxy?.close();
      await database?.drop();
    });

    const observed = (): unknown[] =>
      events.filter(({ type }) => type === 'observed').map(({ reason }) => reason);

    it('observe mode accepts requests with revoked or undecided tokens, and reports each refusal it would have sent', async () => {
      const ended = await here.login('alice');
      const token = await here.login('bob');
      await here.logout.logout(ended);
      expect(await statusOfAll(url, ended)).toEqual(all(200));
      expect(new Set(observed())).toEqual(new Set(['session_ended']));
      await here.revocation.assertActive(claimsIn(ended));
      events.length = 0;
      await cutOff(here, proxy);
      age(here, 10_000);
      expect(await statusOfAll(url, token)).toEqual(all(200));
      // What a policy lets in is not observed.
      expect(observed()).toEqual(Array.from({ length: 4 }, () => 'revocation_state_unknown'));
      // Loud, but no flood.
      expect(warned().filter((line) => line.includes('(observe)')).length).toBeLessThanOrEqual(2);
    });

    it('observe mode enforces by itself when its time is over', async () => {
      const ended = await here.login('alice');
      await here.logout.logout(ended);
      expect(here.revocation.status().observingUntil).toBeInstanceOf(Date);
      age(here, DAY - 1_000);
      await followAgain(here);
      expect(await statusOfAll(url, ended)).toEqual(all(200));
      age(here, 1_000);
      expect(await statusOfAll(url, ended)).toEqual(all(401));
      expect(here.revocation.status().observingUntil).toBeNull();
    });

    it('observe mode enforces everything else: expiry, signature, and the refresh of an ended session', async () => {
      const login = await here.sessions.login(async () => ({ subject: 'alice' }));
      await here.logout.logout(login?.accessToken ?? '');
      await expect(here.sessions.refresh(login?.refreshToken ?? '')).rejects.toMatchObject({
        code: 'session_ended',
      });
      const [header, payload] = login?.accessToken.split('.') ?? [];
      expect(await statusOfAll(url, `${header}.${payload}.${'A'.repeat(43)}`)).toEqual(all(401));
      await expect(here.logout.logoutSession('x', { wait: 'everywhere' })).rejects.toThrow(
        /'open' or observe/,
      );
    });

    it('observe mode answers 503 before the first load, because no receipt includes its bound yet', async () => {
      const before = await TcpProxy.before(database);
      before.proxy.refuse();
      const cold = await startInstance(database, {
        options: {
          dataSource: before.through.options,
          bootTimeout: 0,
          accessTokenTtl: '31d',
          staleWait: 0,
          observe: { until: new Date(Date.now() + DAY) },
        },
      });
      expect(await cold.judge(await here.login())).toBe('revocation_state_unknown');
      before.proxy.admit();
      await eventually(() => cold.feed.ready);
      const ended = await here.login();
      await here.logout.logout(ended);
      await follow(cold);
      expect(await cold.judge(ended)).toBe('active');
      await cold.close();
      await before.proxy.close();
    });
  });
});
