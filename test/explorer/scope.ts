import { only } from './cells.js';

/** What an event of the model revokes. `other` concerns no token here; an old release does not know `future`. */
export type Kind =
  | 'other'
  | 'token'
  | 'session'
  | 'subject'
  | 'subject except'
  | 'access only'
  | 'issuer'
  | 'key'
  | 'future';

/** One event that may be written once in a scope. */
export interface EventPlan {
  readonly kind: Kind;
  /** The session (or the token) that it revokes, or that it spares. Default 0. */
  readonly target?: number;
  /** Written in the caller's transaction (C1). */
  readonly manager?: boolean;
  /** The instances that may write it. Default: the first, as instances are alike. */
  readonly writers?: readonly number[];
}

/** How instances follow the log: as protocol.md says, or in one of the broken ways of security.md 2.2. */
export type Feed =
  | 'head row'
  | 'id > cursor'
  | 'time window'
  | 'xmin with an id cursor'
  | 'wait for xmin'
  | 'push alone'
  | 'replica reads'
  | 'kept snapshot'
  | 'rowid reuse'
  | 'cursor kept over failover';

/** What can happen in one exploration, and how often. The explorer tries every order of it. */
export interface ScopePlan {
  /** Default 2. */
  readonly instances?: number;
  /** Whether each session is logged in at the start. Default: one that is. */
  readonly sessions?: readonly ('in' | 'out')[];
  readonly events: readonly EventPlan[];
  /** The last tick. Default 1. */
  readonly ticks?: number;
  /** The lifetime of the tokens that each instance issues, in ticks. Default 2 for each. */
  readonly lives?: readonly number[];
  /** The ticks for which a proof allows each instance to accept. Default 1 for each. */
  readonly bounds?: readonly number[];
  /** Refreshes of the first session. Default 0. */
  readonly refreshes?: number;
  /** The polls that one instance may have in flight. Default 1; 2 with a strict one. */
  readonly polls?: number;
  readonly commitsLost?: number;
  readonly restarts?: number;
  readonly failovers?: number;
  /** Whether a failover may lose commits: the standby may stop following at any time. */
  readonly lossy?: boolean;
  /** The number of `history` events that the scope has room for. Default: twice the failovers. */
  readonly jumps?: number;
  /** Whether the database names its server; SQLite does not. Default true. */
  readonly identity?: boolean;
  /**
   * A backup is restored on the same server while every instance is stopped, instead of a failover.
   * `stopped`: the command `new-history` is run. `unnoticed`: it is not, and the first instance to start finds
   * that no other one runs. `asked`: it finds one that seems to run, because the backup is so young. It then
   * judges tokens beyond the head.
   */
  readonly backup?: 'stopped' | 'unnoticed' | 'asked' | false;
  readonly purge?: boolean;
  /** The log is empty at the start: position 0. */
  readonly empty?: boolean;
  /** Instances register their bound and token lifetime in their own steps (H4). */
  readonly registering?: boolean;
  /** The one instance that does not know events of kind `future`. */
  readonly old?: number;
  /** Another application may keep a transaction open. */
  readonly foreignTransaction?: boolean;
  /** Whether the answer to a COMMIT comes in its own step. Default true. */
  readonly answersLate?: boolean;
  /** Whether the server may do a statement whose answer was lost, while it was given up and retried. Default false. */
  readonly writesLate?: boolean;
  /** Whether loads read the head and the rows in two steps. Default false. */
  readonly loadsInSteps?: boolean;
  readonly feed?: Feed;
}

/** A plan with its defaults, and with what the rules look up often. */
export interface Scope extends Required<Omit<ScopePlan, 'old'>> {
  readonly old: number | undefined;
  /** The slots for events: one that was there before, those of the plan, the jumps. */
  readonly slots: number;
  readonly firstJump: number;
  readonly kinds: readonly (Kind | 'history')[];
  /** For each token, the events that concern it. */
  readonly concerning: readonly number[];
  /** Events that are judged by position (G3). */
  readonly judged: number;
  /** Events that are written in callers' transactions (C1). */
  readonly managed: number;
  /** Events that end sessions, not only access tokens. */
  readonly full: number;
}

const JUDGED: readonly string[] = ['subject', 'subject except', 'access only', 'issuer'];
const FULL: readonly string[] = ['session', 'subject', 'subject except', 'issuer'];

export function scopeOf(plan: ScopePlan): Scope {
  const instances = plan.instances ?? 2;
  const sessions = plan.sessions ?? ['in'];
  const failovers = plan.failovers ?? 0;
  const jumps = plan.jumps ?? failovers * 2;
  const refreshes = plan.refreshes ?? 0;
  const kinds = [
    'other' as const,
    ...plan.events.map(({ kind }) => kind),
    ...Array.from({ length: jumps }, () => 'history' as const),
  ];
  if (kinds.length > 8) throw new RangeError('A set of events is one cell: at most 8 slots.');
  const those = (chosen: readonly string[]): number =>
    kinds.reduce((set, kind, slot) => (chosen.includes(kind) ? set | only(slot) : set), 0);
  const tokens = Array.from({ length: sessions.length + refreshes }, (_, token) => token);
  const concerns = (slot: number, token: number): boolean => {
    const target = plan.events[slot - 1]?.target ?? 0;
    const session = token < sessions.length ? token : 0;
    switch (kinds[slot]) {
      case 'other':
      case 'history':
        return false;
      case 'token':
        return target === token;
      case 'session':
        return target === session;
      case 'subject except':
        return target !== session;
      default:
        return true;
    }
  };
  return {
    ...plan,
    instances,
    sessions,
    refreshes,
    failovers,
    jumps,
    ticks: plan.ticks ?? 1,
    lives: plan.lives ?? Array.from({ length: instances }, () => 2),
    bounds: plan.bounds ?? Array.from({ length: instances }, () => 1),
    polls: plan.polls ?? 1,
    commitsLost: plan.commitsLost ?? 0,
    restarts: plan.restarts ?? 0,
    lossy: plan.lossy ?? false,
    identity: plan.identity ?? true,
    backup: plan.backup ?? false,
    purge: plan.purge ?? false,
    empty: plan.empty ?? false,
    registering: plan.registering ?? false,
    old: plan.old,
    foreignTransaction: plan.foreignTransaction ?? false,
    answersLate: plan.answersLate ?? true,
    writesLate: plan.writesLate ?? false,
    loadsInSteps: plan.loadsInSteps ?? false,
    feed: plan.feed ?? 'head row',
    slots: kinds.length,
    firstJump: 1 + plan.events.length,
    kinds,
    concerning: tokens.map((token) =>
      kinds.reduce((set, _, slot) => (concerns(slot, token) ? set | only(slot) : set), 0),
    ),
    judged: those(JUDGED),
    full: those(FULL),
    managed: plan.events.reduce(
      (set, { manager }, index) => (manager === true ? set | only(index + 1) : set),
      0,
    ),
  };
}
