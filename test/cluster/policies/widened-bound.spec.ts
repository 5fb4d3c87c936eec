import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Injectable, Logger } from '@nestjs/common';
import { AuthWiringError, Freshness, WhenStale } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, type InstanceSettings, startInstance } from '../../support/instance.js';
import { UNBOUNDED } from '../../support/internals.js';
import { clockOf } from '../../support/controlled-instance.js';
import { claimsIn, follow, readEvents } from '../../support/log-tables.js';
import { Gateway, PoliciesController, registered } from './support.js';

@WhenStale({ staleFor: '3m' })
@Controller('by-class')
class ByClass {
  @Get() plain(): void {}
}

@Injectable()
class Contradicting {
  @Freshness('strict') @WhenStale({ staleFor: '1m' }) handle(): void {}
}

@Injectable()
class TooNarrow {
  @WhenStale({ staleFor: 3 }) handle(): void {}
}

@Injectable()
class OpenGateway {
  @WhenStale('open') handle(): void {}
}

describe('H4: a failure policy widens the bound in the head before the instance serves', () => {
  let started: Instance[];
  let database: TestDatabase;

  beforeEach(() => {
    started = [];
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    for (const instance of started) await instance.close();
    await database?.drop();
  });

  const start = async (settings: InstanceSettings = {}): Promise<Instance> => {
    const instance = await startInstance(database, { clock: new TestClock(), ...settings });
    started.push(instance);
    return instance;
  };

  describeOn(databaseKinds, 'the registered bound', (kind) => {
    beforeEach(async () => {
      database = await kind.migrated();
    });

    it.each<[string, InstanceSettings, number]>([
      ['nothing more than maxStaleness', {}, 5_000],
      ['the module’s', { options: { whenStale: { staleFor: '10m' } } }, 600_000],
      ['a provider’s', { providers: [Gateway] }, 120_000],
      [
        'of what a factory makes',
        { providers: [{ provide: 'x', useFactory: () => new Gateway() }] },
        120_000,
      ],
      ['a class’s', { controllers: [ByClass], providers: [Gateway] }, 180_000],
      ['the widest', { controllers: [PoliciesController, ByClass] }, UNBOUNDED],
      ['the ceiling of overrides', { options: { overrideCeiling: '1h' } }, 3_600_000],
      [
        'an observation',
        { options: { observe: { until: new Date(Date.now() + 3_600_000) } } },
        UNBOUNDED,
      ],
      [
        'no observation that is over',
        { options: { observe: { until: new Date(Date.now() - 60_000) } } },
        5_000,
      ],
    ])('the registered bound is that of: %s', async (_, settings, widest) => {
      const instance = await start(settings);
      expect(await registered(instance)).toBe(widest);
      const { effectiveEverywhereWithin: within } = await instance.logout.logoutSession('one');
      expect(within).toBe(widest === UNBOUNDED ? Infinity : widest / 1000);
    });

    it('the wider bound counts in the receipts of other instances, also in a transaction', async () => {
      const here = await start();
      await start({ providers: [Gateway] });
      expect((await here.logout.logoutSession('one')).effectiveEverywhereWithin).toBe(120);
      await follow(here);
      const receipt = await here.dataSource.transaction((manager) =>
        here.logout.logoutSession('two', { manager }),
      );
      expect(receipt.effectiveEverywhereWithin).toBe(120);
    });

    it('wait: everywhere waits for the wider bound', async () => {
      const here = await start();
      await start({ providers: [Gateway] });
      const schedule = jest.spyOn(here.clock, 'schedule');
      const waiting = here.logout.logoutSession('one', { wait: 'everywhere' });
      while (!schedule.mock.calls.some(([delay]) => delay >= 120_000)) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      clockOf(here).advance(121_000);
      expect((await waiting).effectiveEverywhereWithin).toBe(120);
    });

    it('wait is an error before anything is written if this instance is unbounded', async () => {
      const here = await start({ providers: [OpenGateway] });
      const waiting = here.logout.logoutSession('one', { wait: 'everywhere' });
      await expect(waiting).rejects.toThrow(/this instance has registered.*Nothing was ended/);
      await expect(waiting).rejects.toThrow(AuthWiringError);
      expect(await readEvents(here.dataSource)).toEqual([]);
    });

    it('wait is an error if another instance is unbounded, and the logout takes effect', async () => {
      const here = await start();
      await start({ providers: [OpenGateway] });
      const token = await here.login();
      const waiting = here.logout.logout(token, { wait: 'everywhere' });
      await expect(waiting).rejects.toThrow(/another instance has registered.*counts/);
      expect(await here.judge(token)).toBe('session_ended');
    });

    it('the next poll registers a bound that a fail-over lost, and no request is accepted by it before', async () => {
      const here = await start({ providers: [Gateway] });
      await here.dataSource.query('UPDATE auth_head SET max_staleness = 5000');
      await follow(here);
      expect(await registered(here)).toBe(120_000);
    });
  });

  describe('a policy that was not there at boot', () => {
    beforeEach(async () => {
      database = await databaseKinds[0].migrated();
    });

    it('a policy that was not there at boot is refused if it is wider, and never widens the bound', async () => {
      const here = await start({ providers: [Gateway] });
      const token = await here.login();
      const verify = (whenStale: 'open' | { staleFor: string }): Promise<unknown> =>
        here.tokens.verify(token, { whenStale });
      await expect(verify({ staleFor: '3m' })).rejects.toThrow(/wider than what.*registered/);
      await expect(verify('open')).rejects.toThrow(AuthWiringError);
      await expect(verify({ staleFor: '2m' })).resolves.toMatchObject({ sub: 'alice' });
      await expect(verify({ staleFor: '1s' })).rejects.toThrow(/more than maxStaleness/);
      expect(await registered(here)).toBe(120_000);
    });

    it('a policy that was not there at boot is refused once observe mode is over, even before the next poll', async () => {
      const until = new Date(Date.now() + 3_600_000);
      const here = await start({ options: { observe: { until }, accessTokenTtl: '1d' } });
      const token = await here.login();
      const verify = (): Promise<unknown> =>
        here.tokens.verify(token, { whenStale: { staleFor: '7d' } });
      await expect(verify()).resolves.toMatchObject({ sub: 'alice' });
      clockOf(here).advance(3_601_000);
      await expect(verify()).rejects.toThrow(/wider than what.*registered/);
    });

    it('a policy contradicts strict', async () => {
      const here = await start({ providers: [Gateway] });
      const claims = claimsIn(await here.login()) as { iss?: string };
      const judged = here.revocation.assertActive(claims, {
        freshness: 'strict',
        whenStale: { staleFor: '1m' },
      });
      await expect(judged).rejects.toThrow(AuthWiringError);
    });
  });

  describe('a configuration that stops the boot', () => {
    const { NODE_ENV } = process.env;

    beforeEach(async () => {
      database = await databaseKinds[0].migrated();
    });

    afterEach(() => {
      process.env['NODE_ENV'] = NODE_ENV;
    });

    it.each<[string, InstanceSettings, RegExp]>([
      [
        'strict and loose in one',
        { providers: [Contradicting] },
        /Contradicting\.handle has @Freshness/,
      ],
      ['less than maxStaleness', { providers: [TooNarrow] }, /TooNarrow\.handle.*more than max/s],
    ])('the boot stops for: %s', async (_, settings, message) => {
      await expect(start(settings)).rejects.toThrow(message);
    });

    it('an open route in production stops the boot if no one is named as responsible', async () => {
      process.env['NODE_ENV'] = 'production';
      await expect(start({ providers: [OpenGateway] })).rejects.toThrow(
        /'open' of OpenGateway\.handle.*openAcknowledgedBy/s,
      );
      const here = await start({
        providers: [OpenGateway],
        options: { openAcknowledgedBy: 'CTO, ticket 7' },
      });
      expect(await registered(here)).toBe(UNBOUNDED);
      const lines = jest.mocked(Logger.prototype.warn).mock.calls.map(([line]) => String(line));
      expect(lines).toContainEqual(
        expect.stringMatching(/OpenGateway\.handle without a bound.*Decided by CTO, ticket 7/),
      );
    });
  });
});
