import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { randomUUID } from 'node:crypto';
import { AuthModule } from 'nestjs-logout';
import { describeOnServer } from '../../support/describe-on-server.js';
import { LogConnection, ProofClock, RevocationFeed } from '../../support/internals.js';
import { PostgresServer } from '../../support/postgres-server.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { ISSUER } from '../../support/controlled-instance.js';
import { rounds } from '../../support/rounds.js';
import { eventually } from '../../support/eventually.js';

const FEEDS = rounds(20, 50);

interface Follower {
  readonly feed: RevocationFeed;
  readonly proofs: ProofClock;
  readonly module: TestingModule;
  /** What it did since: reads, transactions, polls that it started, and polls that were sent. */
  readonly sent: {
    read: number;
    transaction: number;
    asked: number;
    poll: number;
    inFlight: number;
    most: number;
  };
}

describeOnServer('a herd of instances', () => {
  let server: PostgresServer;
  let network: TcpProxy;
  let followers: Follower[];

  beforeEach(async () => {
    for (const level of ['log', 'warn'] as const) {
      jest.spyOn(Logger.prototype, level).mockImplementation(() => undefined);
    }
    server = await PostgresServer.create();
    await server.start();
    network = await TcpProxy.to('127.0.0.1', server.port);
    const url = `postgres://postgres@127.0.0.1:${network.port}/postgres`;
    const first = await follow(url, 'run');
    const rest = Array.from({ length: FEEDS - 1 }, () => follow(url, 'check'));
    followers = [first, ...(await Promise.all(rest))];
  });

  afterEach(async () => {
    await Promise.all((followers ?? []).map(({ module }) => module.close()));
    await network?.close();
    await server?.remove();
    jest.restoreAllMocks();
  });

  it(`E5: database restarted under ${FEEDS} instances: one poll in flight each, and no herd when it is back`, async () => {
    expect(followers.every(({ proofs }) => proofs.isFresh())).toBe(true);
    await server.kill();
    await eventually(() => followers.every(({ feed }) => feed.failing));
    reset(followers);
    let begun = performance.now();
    // A crowd of requests sends nothing to a database that is known to be away.
    for (const { feed } of followers) {
      const crowd = Array.from({ length: 100 }, () => feed.proofWithin(0, 60_000));
      expect(new Set(await Promise.all(crowd))).toEqual(new Set([false]));
    }
    const asked = followers.reduce((sum, { sent }) => sum + sent.asked, 0);
    // The backoff, and not 100 requests each; a busy machine takes longer for them.
    expect(asked).toBeLessThan(FEEDS * (8 + 2 * secondsSince(begun)));

    reset(followers);
    await server.start();
    begun = performance.now();
    await eventually(() =>
      followers.every(({ feed, proofs }) => !feed.failing && proofs.isFresh()),
    );
    const sent = followers.map((follower) => follower.sent);
    // No load, no registration, no write; polls, one at a time.
    expect(sent.reduce((sum, { read, transaction }) => sum + read + transaction, 0)).toBe(0);
    expect(Math.max(...sent.map(({ most }) => most))).toBe(1);
    // From the first that is back until the last, each asks a few times more at most, as all do later.
    const polls = sent.reduce((sum, { poll }) => sum + poll, 0);
    expect(polls).toBeLessThanOrEqual(FEEDS * (4 + 2 * secondsSince(begun)));
  });
});

function secondsSince(begun: number): number {
  return (performance.now() - begun) / 1_000;
}

function reset(followers: readonly Follower[]): void {
  for (const { sent } of followers)
    Object.assign(sent, { read: 0, transaction: 0, asked: 0, poll: 0 });
}

/** An instance without HTTP and without a DataSource of the application's own. */
async function follow(url: string, migrations: 'run' | 'check'): Promise<Follower> {
  const module = await Test.createTestingModule({
    imports: [
      AuthModule.forRoot({
        secret: 'a secret of the tests: 32 bytes or more',
        issuer: ISSUER,
        audience: ISSUER,
        maxStaleness: '4s',
        strategyName: randomUUID(),
        dataSource: { type: 'postgres', url },
        migrations,
      }),
    ],
  }).compile();
  await module.init();
  const { database } = await module.get(LogConnection, { strict: false }).open();
  const sent = { read: 0, transaction: 0, asked: 0, poll: 0, inFlight: 0, most: 0 };
  const [read, transaction, poll] = [
    database.read.bind(database),
    database.transaction.bind(database),
    database.poll.bind(database),
  ];
  database.read = (statement) => {
    sent.read++;
    return read(statement);
  };
  database.transaction = (body) => {
    sent.transaction++;
    return transaction(body);
  };
  database.poll = async (statement, timeout, onSend) => {
    sent.asked++;
    sent.most = Math.max(sent.most, ++sent.inFlight);
    try {
      return await poll(statement, timeout, () => {
        sent.poll++;
        onSend();
      });
    } finally {
      sent.inFlight--;
    }
  };
  const anywhere = { strict: false };
  return {
    module,
    feed: module.get(RevocationFeed, anywhere),
    proofs: module.get(ProofClock, anywhere),
    sent,
  };
}
