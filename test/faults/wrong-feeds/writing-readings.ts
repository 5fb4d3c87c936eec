import { endSessions } from '../../support/controlled-instance.js';
import { holdHead, loseCommit, reconnect } from '../../support/log-tables.js';
import {
  EventKeys,
  LogFollower,
  MarkTable,
  newEventId,
  RevocationIndex,
  InDoubtCommits,
} from '../../support/internals.js';
import { replace, type WrongReading } from './wrong-reading.js';

const BOUND = 5_000;

/** The content of an event, how long it is known, and the handling of an unanswered COMMIT. */
export const WRITING_READINGS: readonly WrongReading[] = [
  {
    rule: 'W3',
    name: 'the index evicts entries by size, like an LRU cache',
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
    name: 'only the latest of several events of an account counts',
    breaks: 'P1',
    patch: () =>
      replace(
        MarkTable,
        'add',
        () =>
          function (
            this: MarkTable,
            key: Uint32Array,
            limit: number,
            except: Uint32Array | undefined,
            until: number,
            note: number,
          ) {
            const place = this.table.add(key, until, 0);
            const words = this.table.wordsAt(place);
            // The limit in two words, no second limit, the exception, the note.
            const mark = [Math.floor(limit / 2 ** 32), limit % 2 ** 32, 0, 0];
            words.set([...mark, ...(except ?? [0, 0, 0, 0]), note], this.table.payloadAt(place));
          } as never,
      ),
    play: async (cluster, a, b) => {
      const one = await cluster.login(a);
      const two = await cluster.login(a);
      await cluster.follow(b);
      await cluster.end(a, one, 'logoutOthers'); // ends two
      await cluster.end(b, two, 'logoutOthers'); // B has not polled yet
      await cluster.follow(a);
      await cluster.me(a, two);
    },
  },
  {
    rule: 'C2',
    name: 'a pending event counts only once it is numbered',
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
    name: 'an event whose COMMIT was not answered is taken as never written',
    breaks: 'W4',
    patch: () => replace(InDoubtCommits, 'concerns', () => (() => false) as never),
    play: async (cluster, a, b) => {
      const login = await cluster.login(b);
      await cluster.follow(a);
      const lost = loseCommit(a.proxy, 'swallow answer');
      const logout = await cluster.end(a, login);
      await lost;
      logout.isCommitted = true; // the proxy saw the server confirm it
      await cluster.me(a, login);
      await reconnect(a.proxy, a.real);
    },
  },
  {
    rule: 'W4, G3',
    name: 'an in-doubt commit is retried as a new event with a new id',
    breaks: 'P8',
    patch: () => {
      replace(
        InDoubtCommits,
        'add',
        (add) =>
          function (this: InDoubtCommits, drafts: object[]) {
            add.call(
              this,
              drafts.map((draft) => ({ ...draft, id: newEventId(Date.now()) })),
            );
          } as never,
      );
      replace(
        InDoubtCommits,
        'list',
        (list) =>
          function (this: InDoubtCommits) {
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
