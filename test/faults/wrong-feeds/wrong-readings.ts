import { jest } from '@jest/globals';
import { EventKeys } from '../../../lib/revocation/event-key.js';
import { newEventId } from '../../../lib/revocation/event-id.js';
import { LogCursor } from '../../../lib/revocation/feed/log-cursor.js';
import { LogFollower } from '../../../lib/revocation/feed/log-follower.js';
import { ProofClock } from '../../../lib/revocation/feed/proof-clock.js';
import { MarkTable } from '../../../lib/revocation/mark.js';
import { ProvisionalEvents } from '../../../lib/revocation/provisional-events.js';
import { RevocationFeed } from '../../../lib/revocation/revocation-feed.service.js';
import { RevocationIndex } from '../../../lib/revocation/revocation-index.js';
import { controlPolls, endSessions } from '../../cluster/feed/support.js';
import { holdHead, loseCommit, reconnect } from '../../cluster/protocol/support.js';
import type { Promised } from '../history/violation.js';
import type { ObservedCluster, ObservedInstance } from './observed-cluster.js';

/** A rule of protocol.md read wrongly, put in the place of the right one while it is patched. */
export interface WrongReading {
  readonly rule: string;
  readonly name: string;
  readonly breaks: Promised;
  /** Puts it into the real classes; `jest.restoreAllMocks()` takes it out. */
  readonly patch: () => void;
  /** The order of things that shows it; with the right reading it must break nothing. */
  readonly play: (
    cluster: ObservedCluster,
    a: ObservedInstance,
    b: ObservedInstance,
  ) => Promise<void>;
}

const BOUND = 5_000;

/** What a patch sees of a class, its private members too. */
type Open = Record<string, (...given: unknown[]) => unknown>;

/** Puts `make(original)` in the place of a method. */
function replace(
  type: { readonly prototype: object },
  method: string,
  make: (original: (...given: unknown[]) => unknown) => (this: never, ...given: never[]) => unknown,
): void {
  const open = type.prototype as Open;
  const original = open[method] as (...given: unknown[]) => unknown;
  jest.spyOn(open, method).mockImplementation(make(original) as never);
}

/** Takes back the last commits, as a fail-over does to a replica that lagged. */
async function loseAllAfter(position: number, { real }: ObservedInstance): Promise<void> {
  await real.dataSource.query(`DELETE FROM auth_event WHERE position > ${position}`);
  await real.dataSource.query(
    `UPDATE auth_head SET position = ${position}, last_event_id = ` +
      `(SELECT event_id FROM auth_event WHERE position = ${position})`,
  );
}

export const WRONG_READINGS: readonly WrongReading[] = [
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
    name: 'the lease is a flag that a timer clears, not looked at in each decision',
    breaks: 'P2',
    patch: () =>
      replace(
        RevocationFeed,
        'isFresh',
        () =>
          function (this: RevocationFeed) {
            return this.ready && !this.failing;
          } as never,
      ),
    play: async (cluster, a, b) => {
      const login = await cluster.login(a);
      await cluster.follow(b);
      await cluster.end(a, login);
      cluster.pass(BOUND); // B was paused all the while: no timer of it has run
      await cluster.me(b, login);
    },
  },
  {
    rule: 'P3',
    name: 'it fails open: without a proof the token passes',
    breaks: 'P3',
    patch: () => replace(RevocationFeed, 'isFresh', () => (() => true) as never),
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
    name: 'a fork goes unnoticed: the cursor is kept over a fail-over',
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
      await loseAllAfter(1, a);
      const young = await cluster.start();
      await cluster.end(young, later); // position 2 once more
      await endSessions(young.real, 1); // and 3
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
      await loseAllAfter(0, a);
      await cluster.follow(b);
      await cluster.me(b, login);
    },
  },
  {
    rule: 'W3',
    name: 'an index that forgets by its size, as an LRU does',
    breaks: 'P6',
    patch: () => {
      const kept = new WeakMap<object, string[]>();
      replace(
        RevocationIndex,
        'add',
        (add) =>
          function (this: RevocationIndex, ...given: unknown[]) {
            const [{ key }] = given as [{ key: string }];
            kept.set(this, [...(kept.get(this) ?? []), key].slice(-3));
            return add.apply(this, given);
          } as never,
      );
      replace(
        RevocationIndex,
        'find',
        (find) =>
          function (this: RevocationIndex, ...given: unknown[]) {
            const [{ iss, sid }] = given as [{ iss: string; sid?: string }];
            const { keys } = this as unknown as { keys: EventKeys };
            const isKept = kept.get(this)?.includes(keys.hex('session', iss, sid ?? ''));
            return isKept === true ? find.apply(this, given) : undefined;
          } as never,
      );
    },
    play: async (cluster, a, b) => {
      const login = await cluster.login(a);
      await cluster.end(a, login);
      await cluster.follow(b);
      await cluster.me(b, login);
      await endSessions(a.real, 5);
      await cluster.follow(b);
      await cluster.me(b, login);
    },
  },
  {
    rule: 'G4',
    name: 'of several events of an account the latest wins',
    breaks: 'P1',
    patch: () =>
      replace(
        MarkTable,
        'add',
        () =>
          function (
            this: Open & { table: Open },
            key: unknown,
            limit: unknown,
            except: unknown,
            until: unknown,
            note: unknown,
          ) {
            const place = this.table['add']?.(key, until, 0);
            this['setLimit']?.(place, 2, 0);
            this['setLimit']?.(place, 0, limit);
            this['setException']?.(place, except ?? new Uint32Array(4));
            this.table['setPayloadAt']?.(place, 8, note);
          } as never,
      ),
    play: async (cluster, a, b) => {
      const one = await cluster.login(a);
      const two = await cluster.login(a);
      await cluster.follow(b);
      await cluster.end(a, one, 'logoutOthers'); // ends two
      await cluster.end(b, two, 'logoutOthers'); // who was not told yet
      await cluster.follow(a);
      await cluster.me(a, two);
    },
  },
  {
    rule: 'C2',
    name: 'a pending event counts only when it has its number',
    breaks: 'P2',
    patch: () => replace(LogFollower, 'addPending', () => (() => undefined) as never),
    play: async (cluster, a, b) => {
      const login = await cluster.login(a);
      await cluster.follow(b);
      const letGo = await holdHead(b.real.dataSource); // nothing can be numbered
      await cluster.end(a, login, 'logout', () =>
        a.real.dataSource.transaction((manager) => a.real.logout.logout(login.token, { manager })),
      );
      cluster.pass(BOUND);
      await cluster.follow(b);
      await cluster.me(b, login);
      await letGo();
    },
  },
  {
    rule: 'W4',
    name: 'an event whose COMMIT was not answered counts as never written',
    breaks: 'W4',
    patch: () => replace(ProvisionalEvents, 'concerns', () => (() => false) as never),
    play: async (cluster, a, b) => {
      const login = await cluster.login(b);
      await cluster.follow(a);
      const lost = loseCommit(a.proxy, 'swallow answer');
      const logout = await cluster.end(a, login);
      await lost;
      logout.isCommitted = true; // the proxy saw the server say so
      await cluster.me(a, login);
      await reconnect(a.proxy, a.real);
    },
  },
  {
    rule: 'W4, G3',
    name: 'what COMMIT left unknown is tried again as a new event with a new id',
    breaks: 'P8',
    patch: () => {
      replace(
        ProvisionalEvents,
        'add',
        (add) =>
          function (this: ProvisionalEvents, drafts: object[], now: unknown) {
            add.call(
              this,
              drafts.map((draft) => ({ ...draft, id: newEventId(Date.now()) })),
              now,
            );
          } as never,
      );
      replace(
        ProvisionalEvents,
        'list',
        (list) =>
          function (this: ProvisionalEvents) {
            const drafts = list.call(this) as object[];
            return drafts.map((draft) => ({ ...draft, killsBelow: null, attemptedAt: null }));
          } as never,
      );
    },
    play: async (cluster, a, b) => {
      const login = await cluster.login(b);
      await cluster.follow(a);
      const lost = loseCommit(a.proxy, 'swallow answer');
      const logout = await cluster.end(a, login, 'logoutAll');
      await lost;
      logout.isCommitted = true;
      cluster.pass(1);
      const young = await cluster.login(b);
      await reconnect(a.proxy, a.real);
      await a.real.log.settleUnknown().catch(() => undefined);
      await a.real.log.drain();
      await cluster.follow(b);
      await cluster.me(b, young);
    },
  },
];
