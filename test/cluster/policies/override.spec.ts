import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { AuthEvent, AuthSettings, StalenessOverride } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { clockOf, followAgain } from '../../support/controlled-instance.js';
import { follow } from '../../support/log-tables.js';
import { age, all, cutOff, listen, PoliciesController, statusOfAll } from './support.js';

describe('override(): an operator loosens the policy without a deploy and without the database', () => {
  describeOn(serverKinds, 'on one instance', (kind) => {
    let database: TestDatabase;
    let proxy: TcpProxy;
    let here: Instance;
    let url: string;
    let token: string;
    let ended: string;
    let events: AuthEvent[];
    let warned: () => string[];

    const start = async (options: Partial<AuthSettings> = {}): Promise<void> => {
      const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
      warned = () => warn.mock.calls.map(([line]) => String(line));
      const before = await TcpProxy.before(database);
      proxy = before.proxy;
      here = await startInstance(before.through, {
        clock: new TestClock(),
        controllers: [PoliciesController],
        options: { staleWait: 0, accessTokenTtl: '31d', ...options },
      });
      await here.app.listen(0, '127.0.0.1');
      url = await here.app.getUrl();
      token = await here.login();
      ended = await here.login();
      await here.logout.logout(ended);
      await follow(here);
      await cutOff(here, proxy);
      age(here, 120_000);
      events = listen(here);
    };
    const override = (more: Partial<StalenessOverride> = {}): void =>
      here.revocation.override({
        staleFor: '30m',
        until: ahead(3_600_000),
        actor: 'dora',
        ...more,
      });
    const ahead = (milliseconds: number): Date => new Date(here.revocation.now() + milliseconds);
    const now = { open: 200 };

    beforeEach(async () => {
      database = await kind.migrated();
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      proxy?.admit();
      await here?.close();
      await proxy?.close();
      await database?.drop();
    });

    it('an override applies to routes without a policy and to those with a looser one, and to no others', async () => {
      await start({ overrideCeiling: '1h' });
      expect(await statusOfAll(url, token)).toEqual(all(503, now));
      override();
      expect(await statusOfAll(url, token)).toEqual(
        all(200, { closed: 503, fresh: 503, strict: 503 }),
      );
      expect(await statusOfAll(url, ended)).toEqual(all(401));
      expect(here.revocation.status().override).toEqual({
        staleFor: 1_800,
        until: ahead(3_600_000),
        actor: 'dora',
      });
      const uses = events.filter(({ type }) => type === 'accepted_stale');
      expect(uses.map(({ reason }) => reason)).toEqual([
        'open',
        'override',
        'open',
        'override',
        'override',
      ]);
      // It is a bound, not an open door.
      age(here, 1_800_000);
      expect(await statusOfAll(url, token)).toEqual(all(503, now));
    });

    it('an override expires by itself, by the faster clock', async () => {
      await start({ overrideCeiling: 'open' });
      override({ staleFor: 'open', until: ahead(60_000) });
      age(here, 59_000);
      // Setting back the host's clock does not prolong it.
      clockOf(here).skewWall(-3_600_000);
      expect((await statusOfAll(url, token))['plain']).toBe(200);
      age(here, 1_000);
      expect(await statusOfAll(url, token)).toEqual(all(503, now));
      expect(here.revocation.status().override).toBeNull();
      expect(told()).toEqual([
        ['begun', 'dora'],
        ['expired', 'dora'],
      ]);
      expect(warned()).toContainEqual(expect.stringContaining('The override of dora has expired'));
    });

    it('an override expires in time even if its timer is late and the host’s clock was set back', async () => {
      await start({ overrideCeiling: '1h' });
      clockOf(here).skewWall(3_600_000);
      const schedule = jest.spyOn(here.clock, 'schedule').mockReturnValue(() => undefined);
      override({ until: ahead(60_000) });
      clockOf(here).skewWall(0);
      clockOf(here).advance(59_999);
      expect(here.revocation.status().override).not.toBeNull();
      clockOf(here).advance(1);
      expect(here.revocation.status().override).toBeNull();
      schedule.mockRestore();
    });

    it('an override writes the name of its actor on one line of the log, whatever the name contains', async () => {
      await start({ overrideCeiling: '1h' });
      override({ actor: 'dora\u202eroot' });
      here.revocation.endOverride('emil\u202eroot');
      expect(warned().filter((line) => String(line).includes('\u202e'))).toEqual([]);
      expect(warned()).toContainEqual(expect.stringContaining('emil\\u{202e}root ended'));
    });

    it('an override is cleared by name, and replaced by the next one', async () => {
      await start({ overrideCeiling: '1h' });
      override();
      override({ staleFor: '10m', actor: 'emil' });
      expect(here.revocation.status().override).toMatchObject({ staleFor: 600, actor: 'emil' });
      here.revocation.endOverride('frida');
      here.revocation.endOverride('frida');
      expect(await statusOfAll(url, token)).toEqual(all(503, now));
      expect(told()).toEqual([
        ['begun', 'dora'],
        ['begun', 'emil'],
        ['ended', 'frida'],
      ]);
      expect(warned()).toContainEqual(expect.stringMatching(/dora allows this instance.*1800 s/));
    });

    const told = (): unknown[] =>
      events
        .filter(({ type }) => type === 'staleness_override')
        .map(({ reason, actor }) => [reason, actor]);

    it('an override opens nothing after the log contradicted what the instance knew', async () => {
      await start({ overrideCeiling: 'open' });
      override({ staleFor: 'open' });
      const spy = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
      proxy.admit();
      await followAgain(here);
      const { database: log } = await here.open();
      jest.spyOn(log, 'read').mockRejectedValue(new Error('The database is away again.'));
      await here.dataSource.query(`UPDATE auth_log SET log_id = 'another'`);
      expect(await here.feed.strictProof()).toBe(false);
      expect(here.revocation.status()).toMatchObject({ contradicted: true });
      expect(await statusOfAll(url, token)).toEqual(all(503));
      spy.mockRestore();
    });

    it('an override without a ceiling, or above it, is an error that names the option', async () => {
      await start();
      expect(() => override()).toThrow(/overrideCeiling/);
    });

    it('an override without an end, a bound or a name is refused', async () => {
      await start({ overrideCeiling: '1h' });
      expect(() => override({ staleFor: '61m' })).toThrow(/overrideCeiling \(3600 s\)/);
      expect(() => override({ staleFor: 'open' })).toThrow(/overrideCeiling/);
      for (const bad of [
        { staleFor: '600' },
        { staleFor: 5 },
        { until: ahead(-1) },
        { until: ahead(86_400_001) },
        { until: 'tomorrow' },
        { until: undefined as never },
        { actor: '' },
        { actor: undefined as never },
        { actor: 'a\nb' },
      ]) {
        expect(() => override(bad)).toThrow(/Nothing was overridden/);
      }
      expect(here.revocation.status().override).toBeNull();
      expect(told()).toEqual([]);
    });
  });
});
