import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, type ExecutionContext, Get, Injectable, UseGuards } from '@nestjs/common';
import { Freshness, RevocationGuard, type VerifiedClaims, WhenStale } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { sqlite, type TestDatabase } from '../../support/databases.js';
import { fetchOnce } from '../../support/fetch-once.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { clockOf, controlPolls, type PollControl } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';
import { claimsIn } from '../../support/log-tables.js';
import { Gateway, listen } from './support.js';

/** Another guard has verified the token. */
@Injectable()
class PartnerGuard extends RevocationGuard {
  protected override getClaims(context: ExecutionContext): VerifiedClaims {
    const { headers } = context.switchToHttp().getRequest<{ headers: { claims: string } }>();
    return JSON.parse(headers.claims) as VerifiedClaims;
  }
}

@UseGuards(PartnerGuard)
@Controller()
class PartnerController {
  @Get('plain') plain(): string {
    return 'in';
  }

  @WhenStale({ staleFor: '1m' }) @Get('minute') minute(): string {
    return 'in';
  }

  @Freshness('strict') @Get('strict') strict(): string {
    return 'in';
  }
}

describe('the failure policy of other guards and services', () => {
  let database: TestDatabase;
  let here: Instance;
  let there: Instance;
  let polls: PollControl;
  let token: string;

  beforeEach(async () => {
    database = await sqlite.migrated();
    there = await startInstance(database, { clock: new TestClock() });
    here = await startInstance(database, {
      clock: new TestClock(),
      options: { staleWait: 0 },
      controllers: [PartnerController],
      providers: [Gateway],
    });
    await here.app.listen(0, '127.0.0.1');
    token = await here.login();
    polls = await controlPolls(here);
  });

  afterEach(async () => {
    await here?.close();
    await there?.close();
    await database?.drop();
  });

  const loseDatabase = async (): Promise<void> => {
    polls.fail();
    here.feed.request();
    await eventually(() => here.feed.failing);
    clockOf(here).advance(10_000);
  };
  const status = async (path: string): Promise<number> => {
    const headers = { claims: JSON.stringify(claimsIn(token)) };
    return (await fetchOnce(`${await here.app.getUrl()}/${path}`, { headers })).status;
  };

  it('RevocationGuard obeys @WhenStale()', async () => {
    await loseDatabase();
    expect([await status('plain'), await status('minute'), await status('strict')]).toEqual([
      503, 200, 503,
    ]);
    clockOf(here).advance(60_000);
    expect(await status('minute')).toBe(503);
  });

  it('RevocationGuard obeys @Freshness()', async () => {
    await there.logout.logout(token);
    // Within the bound this instance has not been notified yet: only strict asks.
    expect([await status('plain'), await status('strict')]).toEqual([200, 401]);
  });

  it('TokenService.verify() and assertActive() accept a policy that was there at boot', async () => {
    await loseDatabase();
    const events = listen(here);
    const whenStale = { staleFor: '2m' };
    await expect(here.tokens.verify(token)).rejects.toMatchObject({ status: 503 });
    await expect(here.tokens.verify(token, { whenStale })).resolves.toMatchObject({ sub: 'alice' });
    await expect(
      here.tokens.verify(token, { whenStale: 'closed', freshness: 'strict' }),
    ).rejects.toMatchObject({ status: 503 });
    await here.revocation.assertActive(claimsIn(token), { whenStale, freshness: 1 });
    expect(await here.revocation.decide(claimsIn(token) as never, { whenStale })).toEqual({
      state: 'active',
      leniency: 'stale_for',
    });
    const uses = events.filter(({ type }) => type === 'accepted_stale');
    expect(uses).toHaveLength(3);
  });
});
