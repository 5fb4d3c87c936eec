import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, postgres, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

const MINUTE = 60_000;

describeOn([postgres], 'P6 monotone: what was refused once is never accepted again', (kind) => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let clock: TestClock;
  let writer: Instance;
  let follower: Instance;
  const options = { accessTokenTtl: '1h', maxStaleness: '2s', staleWait: 0 } as const;

  beforeEach(async () => {
    database = await kind.migrated();
    const before = await TcpProxy.before(database);
    proxy = before.proxy;
    clock = new TestClock();
    writer = await startInstance(database, { clock, options });
    follower = await startInstance(before.through, { clock, options });
  });

  afterEach(async () => {
    await Promise.all([writer?.close(), follower?.close()]);
    await proxy?.close();
    await database?.drop();
  });

  /** Lets time pass, and both instances follow. */
  async function pass(milliseconds: number): Promise<void> {
    clock.advance(milliseconds);
    await Promise.all([writer, follower].map(({ feed }) => feed.strictProof()));
  }

  /** One token for each way to end one; each is refused by both instances when this resolves. */
  async function endTokens(): Promise<string[]> {
    const [session, all, others, kept] = [
      await writer.login('alice'),
      await writer.login('bob'),
      await writer.login('carol'),
      await writer.login('carol'),
    ];
    await writer.logout.logout(session);
    await writer.logout.logoutAll('bob');
    await writer.logout.logoutOthers(kept);
    await pass(0);
    const tokens = [session, all, others];
    await expectRefused(tokens);
    return tokens;
  }

  async function expectRefused(
    tokens: readonly string[],
    instances: readonly Instance[] = [writer, follower],
  ): Promise<void> {
    for (const { judge } of instances) {
      const codes = await Promise.all(tokens.map(judge));
      expect(codes).toEqual(tokens.map(() => 'session_ended'));
    }
  }

  it('a refused token stays refused while the database is away and after it comes back', async () => {
    const tokens = await endTokens();
    for (let round = 0; round < 3; round++) {
      proxy.refuse();
      clock.advance(10_000);
      await expectRefused(tokens, [follower]);
      proxy.admit();
      await pass(10_000);
      await expectRefused(tokens);
    }
  });

  it('a refused token stays refused through a purge, the reload that it forces, and a restart', async () => {
    const first = await endTokens();
    proxy.refuse();
    clock.advance(50 * MINUTE);
    await writer.feed.strictProof();
    await expectRefused(first);
    const second = await endTokensUnseen();
    clock.advance(15 * MINUTE);
    await writer.feed.strictProof();
    // The first ones have expired; their rows go, and the follower's cursor with them.
    while ((await purgedThrough()) < 3) await writer.purge.purge();
    proxy.admit();
    await pass(1_000);
    await expectRefused(second);
    expect(await follower.judge(first[0] ?? '')).toBe('token_expired');
    const late = await startInstance(database, { clock, options });
    await expectRefused(second, [late]);
    await late.close();
  });

  it('a refused token stays refused through a history that the database has lost', async () => {
    const tokens = await endTokens();
    const survivor = await writer.login('dora');
    const lost = await writer.login('erin');
    await writer.logout.logout(lost);
    await pass(0);
    await expectRefused([...tokens, lost]);
    await loseLastEvent();
    await pass(1_000);
    await expectRefused([...tokens, lost]);
    for (const { judge } of [writer, follower]) expect(await judge(survivor)).toBe('active');
    // Events after the loss are followed as usual.
    await writer.logout.logout(survivor);
    await pass(1_000);
    await expectRefused([...tokens, lost, survivor]);
  });

  /** The timer of the writer's own purge may be running already: only the deleted rows count. */
  async function purgedThrough(): Promise<number> {
    const rows = await writer.dataSource.query<{ purged_through: string }[]>(
      'SELECT purged_through FROM auth_head',
    );
    return Number(rows[0]?.purged_through);
  }

  /** As {@link endTokens}, while the follower receives nothing. */
  async function endTokensUnseen(): Promise<string[]> {
    const tokens = [await writer.login('frank'), await writer.login('grace')];
    for (const token of tokens) await writer.logout.logout(token);
    await expectRefused(tokens, [writer]);
    return tokens;
  }

  /** What a fail-over to a replica that was behind does. */
  async function loseLastEvent(): Promise<void> {
    await writer.dataSource.query(
      'DELETE FROM auth_event WHERE position = (SELECT position FROM auth_head)',
    );
    await writer.dataSource.query(
      'UPDATE auth_head SET position = e.position, last_event_id = e.event_id FROM ' +
        '(SELECT position, event_id FROM auth_event ORDER BY position DESC LIMIT 1) e',
    );
  }
});
