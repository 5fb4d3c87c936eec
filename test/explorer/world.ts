import { type Cells, layoutOf } from './cells.js';
import type { Scope } from './scope.js';

/** The state of an event in a database. */
export const ABSENT = 0;
export const PENDING = 1;
export const NUMBERED = 2;

/** How far the call that writes an event has got. */
export const UNUSED = 0;
/** A caller's transaction is open, or a number was taken from a sequence (broken feeds). */
export const OPEN = 1;
/** COMMIT is done; its answer is on its way. */
export const COMMITTED = 2;
/** The answer to COMMIT was lost: provisional (W4). */
export const UNKNOWN = 3;
/** The call resolved, or the caller's transaction committed. */
export const RESOLVED = 4;
export const ABANDONED = 5;

/** X1: the tick in which it was written; for feeds that go by time, `made` is the tick. */
export const YOUNG = 1;

/** The `until` of what never expires. */
export const FOREVER = 255;

const CLOCK = layoutOf(
  'now',
  /** The identity of the server that answers now. */
  'server',
  'commitsLost',
  'restarts',
  'failovers',
  /** Whether commits were lost: from then on a fork is not a false alarm. */
  'lossy',
  /** Whether the standby has stopped following; what it has is the backup. */
  'detached',
  /** The number of jumps so far: database time moved on with each. */
  'jumps',
  /** Broken feeds: the numbers and transaction ids that were handed out. */
  'sequence',
  'transactions',
  /** Broken feeds: another application has a transaction open, in any database of the server. */
  'foreignOpen',
);
const HEAD = layoutOf('position', 'last', 'purged', 'server', 'bound', 'life');
const ROW = layoutOf('where', 'position', 'killsBelow', 'until', 'made');
/** `accessMark`: the watermark of what revokes access tokens only. A refresh that meets it starts again (G1, G6). */
const SESSION = layoutOf('row', 'gen', 'mark', 'accessMark', 'turn');
const EVENT = layoutOf(
  'stage',
  'by',
  'fromPosition',
  'fromLast',
  /** G3: what a retry keeps. */
  'killsBelow',
  'opened',
  /** Ghosts. */
  'effective',
  'resolved',
  'deadline',
  /** Ghost: the instances whose registration had been lost when it was written. */
  'uncovered',
  'lost',
  /** Ghost of P1: the instance (+ 1) that resolved it and still remembers it. */
  'holder',
  /** What its writer was promised, or would have been. */
  'position',
  'until',
  /** Broken feeds. */
  'transaction',
);
const INSTANCE = layoutOf(
  'up',
  /** The tick of the last proof + 1; 0 without one. */
  'proof',
  'cursor',
  'cursorId',
  /** Ids that every answer must contain (F3). */
  'expected',
  'provisional',
  'registered',
  /** Ghost: a failover lost its registration, and it does not know that yet (H4). */
  'uncovered',
  /** The highest position it has ever seen (H2). */
  'highest',
  'mustJump',
  /** H5: it has read something that it does not understand. */
  'closed',
  'loading',
  'loadPosition',
  'loadLast',
  'moving',
  /** Ghost: it has reported a lost history (H1). */
  'noticed',
);
/**
 * `position` is set only for an own write that answers must contain (F3). For a jump, `killsBelow` is its
 * own position and `after` is the last one before it: the edges of the gap.
 */
const KNOWN = layoutOf('killsBelow', 'until', 'position', 'after');
const POLL = layoutOf(
  'stage',
  'order',
  'sent',
  'answered',
  'cursor',
  'cursorId',
  'expected',
  /** What this instance has numbered since it was sent: its answer may still show that as pending. */
  'written',
  /** Ghosts: the live events that it remembered when it was sent, and the number of failovers before its answer. */
  'remembered',
  'failovers',
);
const ANSWER_HEAD = layoutOf('position', 'last', 'purged', 'bound', 'life');
const ANSWER_ROW = layoutOf('where', 'position', 'killsBelow', 'until');
/** A login, or a refresh, in steps. */
const ISSUE = layoutOf(
  'stage',
  'by',
  'gen',
  'expires',
  'must',
  'not',
  /** Events that end sessions, after which P9 forbids that the refresh succeeds. */
  'doomed',
  'turn',
  'lostFuture',
);
const TOKEN = layoutOf(
  'live',
  'gen',
  'expires',
  /** Ghosts: the events that revoke it, and those that were effective before its position was read. */
  'must',
  'not',
  /** Ghost: its position was read in a history that was lost later. */
  'lostFuture',
  /** Ghost: an instance had to judge it while its position was beyond the head (G5). */
  'met',
  /** Ghost of P6: the instances that called it revoked. */
  'told',
);

export type RowCells = ReturnType<typeof ROW.place>;
export type EventCells = ReturnType<typeof EVENT.place>;
export type KnownCells = ReturnType<typeof KNOWN.place>;
export type IssueCells = ReturnType<typeof ISSUE.place>;
export type TokenCells = ReturnType<typeof TOKEN.place>;
export type SessionCells = ReturnType<typeof SESSION.place>;

/** One database: the primary, or the standby (or the backup). */
export interface Database {
  readonly from: number;
  readonly to: number;
  readonly head: ReturnType<typeof HEAD.place>;
  readonly rows: readonly RowCells[];
  readonly sessions: readonly SessionCells[];
}

/**
 * A poll in flight: the state in which it was sent, and the answer once the database has given it.
 */
export interface Poll {
  readonly from: number;
  readonly to: number;
  readonly sent: ReturnType<typeof POLL.place>;
  readonly head: ReturnType<typeof ANSWER_HEAD.place>;
  readonly rows: readonly Cells<'where' | 'position' | 'killsBelow' | 'until'>[];
}

/** One instance: its memory, which a restart clears, and its polls. */
export interface Instance {
  readonly index: number;
  readonly from: number;
  readonly to: number;
  readonly own: ReturnType<typeof INSTANCE.place>;
  readonly known: readonly KnownCells[];
  readonly polls: readonly Poll[];
}

/**
 * One state of the model, as cells over one array of bytes.
 *
 * Sets are bit masks. Slot 0 of the events is one that was in the log before. Then come those of the scope,
 * then the jumps. What is not in use is 0, and times stop at the scope's last tick, so that equal states
 * have equal bytes.
 */
export class World {
  readonly bytes: Uint8Array;
  readonly clock: ReturnType<typeof CLOCK.place>;
  readonly db: Database;
  readonly backup: Database;
  readonly events: readonly EventCells[];
  readonly instances: readonly Instance[];
  readonly logins: readonly IssueCells[];
  readonly refreshes: readonly IssueCells[];
  readonly tokens: readonly TokenCells[];

  constructor(scope: Scope) {
    const { slots } = scope;
    const sessions = scope.sessions.length;
    const databaseSize = HEAD.size + slots * ROW.size + sessions * SESSION.size;
    const pollSize = POLL.size + ANSWER_HEAD.size + slots * ANSWER_ROW.size;
    const instanceSize = INSTANCE.size + slots * KNOWN.size + scope.polls * pollSize;
    const size =
      CLOCK.size +
      databaseSize * 2 +
      slots * EVENT.size +
      scope.instances * instanceSize +
      (sessions + scope.refreshes) * (ISSUE.size + TOKEN.size);
    this.bytes = new Uint8Array(Math.ceil(size / 4) * 4);
    let next = 0;
    const place = <F extends string>(layout: {
      size: number;
      place(bytes: Uint8Array, offset: number): Cells<F>;
    }): Cells<F> => layout.place(this.bytes, (next += layout.size) - layout.size);
    const many = <T>(count: number, make: (index: number) => T): T[] =>
      Array.from({ length: count }, (_, index) => make(index));
    const database = (): Database => ({
      from: next,
      head: place(HEAD),
      rows: many(slots, () => place(ROW)),
      sessions: many(sessions, () => place(SESSION)),
      to: next,
    });
    const poll = (): Poll => ({
      from: next,
      sent: place(POLL),
      head: place(ANSWER_HEAD),
      rows: many(slots, () => place(ANSWER_ROW)),
      to: next,
    });
    this.clock = place(CLOCK);
    this.db = database();
    this.backup = database();
    this.events = many(slots, () => place(EVENT));
    this.instances = many(scope.instances, (index) => ({
      index,
      from: next,
      own: place(INSTANCE),
      known: many(slots, () => place(KNOWN)),
      polls: many(scope.polls, poll),
      to: next,
    }));
    this.logins = many(sessions, () => place(ISSUE));
    this.refreshes = many(scope.refreshes, () => place(ISSUE));
    this.tokens = many(sessions + scope.refreshes, () => place(TOKEN));
  }

  /** Empties a part of the state. */
  clear({ from, to }: { readonly from: number; readonly to: number }): void {
    this.bytes.fill(0, from, to);
  }

  /** Makes one database the copy of another. */
  copy(source: Database, target: Database): void {
    this.bytes.copyWithin(target.from, source.from, source.to);
  }
}
