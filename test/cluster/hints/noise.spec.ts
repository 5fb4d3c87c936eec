import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { HintConnection } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { postgres, type TestDatabase } from '../../support/databases.js';
import { describeWithHints } from '../../support/hint-kinds.js';
import { startInstance, type Instance } from '../../support/instance.js';
import { LogConnection, statementOf } from '../../support/internals.js';
import { clockOf, controlPolls, endSessions, knows } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';

const STRANGER = '0123456789abcdef';

describeWithHints('a channel that anyone may write to', (kind) => {
  let database: TestDatabase;
  let here: Instance;
  let heard: string[];
  let stranger: HintConnection;

  beforeEach(async () => {
    database = await postgres.migrated();
    here = await startInstance(database, {
      clock: new TestClock(),
      options: { hint: kind.direct() },
    });
    await eventually(() => here.revocation.status().hint === 'listening');
    heard = [];
    const { id, database: log } = await here.open();
    stranger = await kind.direct().connect({
      channel: `nestjs_logout_${id.replaceAll('-', '')}`,
      log: here.app.get(LogConnection, { strict: false }).dataSourceOptions,
      query: async (sql, values) => void (await log.read(statementOf(log.dialect, sql, values))),
      hear: (payload) => heard.push(payload),
      lost: () => undefined,
    });
  });

  afterEach(async () => {
    await stranger?.close();
    await here?.close();
    await database?.drop();
  });

  /**
   * What the other client sends has arrived here when it has come back to that client, and then a
   * little.
   */
  async function tell(...payloads: string[]): Promise<void> {
    for (const payload of payloads) await stranger.tell(payload);
    await eventually(() => payloads.every((payload) => heard.includes(payload)));
    const own = `${STRANGER}:0`;
    const before = heard.filter((payload) => payload === own).length;
    await stranger.tell(own);
    await eventually(() => heard.filter((payload) => payload === own).length > before);
  }

  it('garbage on the channel changes nothing', async () => {
    const polls = await controlPolls(here);
    await tell(
      'x',
      '{"position":1}',
      `${STRANGER}:`,
      `${STRANGER}:-1`,
      `${STRANGER}:1e9`,
      `${STRANGER}:01`,
      `${STRANGER}:99999999999999999999`,
      `${STRANGER.toUpperCase()}:7`,
      `${STRANGER}:7 `,
      'y'.repeat(7_000),
    );
    expect(polls.count).toBe(0);
    expect(here.revocation.status()).toMatchObject({ hint: 'listening', position: 0 });
  });

  it('known positions, repeated and out of order, cause no poll', async () => {
    const [sid = ''] = await endSessions(here, 1);
    await endSessions(here, 2);
    const polls = await controlPolls(here);
    await tell(...[3, 1, 2, 2, 1, 3, 0].map((position) => `${STRANGER}:${position}`));
    expect(polls.count).toBe(0);
    expect(knows(here, sid)).toBe(true);
  });

  it('a flood of false notifications causes a bounded number of polls, and nothing else', async () => {
    const polls = await controlPolls(here);
    for (let second = 0; second < 2; second++) {
      for (let each = 0; each < 100; each++) {
        await stranger.tell(`${STRANGER}:${9_000_000_000_000_000 - each}`);
        clockOf(here).advance(10);
      }
    }
    await tell(`${STRANGER}:9000000000000001`);
    await here.feed.strictProof();
    // At most one each 20 ms, its own by the timer, and the strict one.
    expect(polls.count).toBeLessThanOrEqual(2_000 / 20 + 5);
    expect(polls.count).toBeGreaterThan(2);
    const token = await here.login();
    expect(await here.judge(token)).toBe('active');
    expect(here.revocation.status().position).toBe(0);
  });

  it('64 logouts at once send one message', async () => {
    await Promise.all(Array.from({ length: 64 }, () => endSessions(here, 1)));
    await eventually(() => heard.some((payload) => payload.endsWith(':64')));
    expect(heard.filter((payload) => !payload.startsWith(STRANGER))).toHaveLength(1);
  });
});
