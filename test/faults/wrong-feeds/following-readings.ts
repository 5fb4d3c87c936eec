import { controlPolls, endSessions } from '../../support/controlled-instance.js';
import { loseAllAfter } from '../../support/log-tables.js';
import { EventKeys, LogCursor, ProofClock, RevocationIndex } from '../../support/internals.js';
import { replace, type WrongReading } from './wrong-reading.js';

const BOUND = 5_000;

/** How an instance follows, when it may decide, and what it does when a history was lost. */
export const FOLLOWING_READINGS: readonly WrongReading[] = [
  {
    rule: 'F4',
    name: 'a proof is dated at the receipt of the answer',
    breaks: 'P2',
    patch: () =>
      replace(
        ProofClock,
        'prove',
        (prove) =>
          function (this: ProofClock, _sent: unknown, now: unknown) {
            prove.call(this, this.moment(), now);
          } as never,
      ),
    play: async (cluster, a, b) => {
      const login = await cluster.login(a);
      const polls = await controlPolls(b.real);
      polls.hold();
      const proven = b.real.feed.proofWithin(Infinity, 60_000);
      await polls.answered(1); // the answer lies in the socket
      await cluster.end(a, login);
      cluster.pass(BOUND);
      polls.release();
      await proven;
      await cluster.me(b, login);
    },
  },
  {
    rule: 'F5',
    name: 'the lease is a flag that a timer clears, and no decision computes the age',
    breaks: 'P2',
    patch: () =>
      replace(
        ProofClock,
        'isFresh',
        () =>
          function (this: ProofClock) {
            return Number.isFinite(this.age());
          } as never,
      ),
    play: async (cluster, a, b) => {
      const login = await cluster.login(a);
      await cluster.follow(b);
      await cluster.end(a, login);
      cluster.pass(BOUND); // B was paused all the time: none of its timers has run
      await cluster.me(b, login);
    },
  },
  {
    rule: 'P3',
    name: 'it fails open: without a proof the token is accepted',
    breaks: 'P3',
    patch: () => replace(ProofClock, 'isFresh', () => (() => true) as never),
    play: async (cluster, a, b) => {
      const login = await cluster.login(a);
      await cluster.follow(b);
      (await controlPolls(b.real)).fail();
      const end = cluster.history.isolate('B');
      cluster.pass(BOUND);
      await cluster.me(b, login);
      cluster.pass(1);
      end();
    },
  },
  {
    rule: 'F3',
    name: 'an answer that does not reach the head is a proof',
    breaks: 'P2',
    patch: () =>
      replace(
        LogCursor,
        'judge',
        (judge) =>
          function (this: LogCursor, ...given: unknown[]) {
            const judgement = judge.apply(this, given) as { kind: string };
            return judgement.kind === 'behind' ? { kind: 'current' } : judgement;
          } as never,
      ),
    play: async (cluster, a, b) => {
      const login = await cluster.login(a);
      await endSessions(a.real, 2_000); // a full page before it
      await cluster.end(a, login);
      cluster.pass(BOUND - 1_000);
      await cluster.follow(b);
      cluster.pass(1_000);
      await cluster.me(b, login);
    },
  },
  {
    rule: 'F3, H1',
    name: 'a fork goes unnoticed: the cursor is kept over a failover',
    breaks: 'P2',
    patch: () =>
      replace(
        LogCursor,
        'judge',
        (judge) =>
          function (this: LogCursor, ...given: unknown[]) {
            const judgement = judge.apply(this, given) as { kind: string };
            return judgement.kind === 'fork' ? { kind: 'current' } : judgement;
          } as never,
      ),
    play: async (cluster, a, b) => {
      const later = await cluster.login(a, 'bob');
      await endSessions(a.real, 3);
      await cluster.follow(b);
      await loseAllAfter(a.real, 1);
      const young = await cluster.start();
      await cluster.end(young, later); // position 2 once more
      await endSessions(young.real, 1); // and position 3
      await cluster.follow(b);
      cluster.pass(BOUND);
      await cluster.follow(b);
      await cluster.me(b, later);
    },
  },
  {
    rule: 'H1',
    name: 'a reload replaces what is known instead of merging',
    breaks: 'P6',
    patch: () =>
      replace(
        RevocationIndex,
        'beginReload',
        () =>
          function (this: RevocationIndex) {
            const { keys } = this as unknown as { keys: EventKeys };
            Object.assign(this, new RevocationIndex(keys));
          } as never,
      ),
    play: async (cluster, a, b) => {
      const login = await cluster.login(a);
      await cluster.end(a, login);
      await cluster.follow(b);
      await cluster.me(b, login);
      await loseAllAfter(a.real, 0);
      await cluster.follow(b);
      await cluster.me(b, login);
    },
  },
];
