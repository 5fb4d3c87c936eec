import { type RuleName } from './rules.js';
import { type Feed, type Scope, scopeOf, type ScopePlan } from './scope.js';

/** A broken feed of security.md 2.2, the scope in which the explorer shows it, and the rules that it lacks. */
export interface WrongFeed {
  readonly scope: Scope;
  readonly without: readonly RuleName[];
  /** What the explorer must find. */
  readonly breaks: RegExp;
  /** Why it fails. */
  readonly why: string;
}

const TWO_WRITERS: ScopePlan = {
  events: [{ kind: 'other' }, { kind: 'session' }],
  ticks: 1,
};

function wrong(
  feed: Feed,
  why: string,
  plan: ScopePlan,
  breaks = /^P2/,
  ...without: RuleName[]
): WrongFeed {
  const scope = scopeOf({ answersLate: false, ...plan, feed });
  return { scope, breaks, why, without: ['H2 jump', ...without] };
}

/**
 * The feeds that lose events or stall. They are kept so that the explorer must still catch each of
 * them.
 */
export const WRONG_FEEDS: Readonly<Record<Exclude<Feed, 'head row'>, WrongFeed>> = {
  'id > cursor': wrong(
    'id > cursor',
    'ids are taken before COMMIT: the cursor passes one that is not visible yet',
    TWO_WRITERS,
  ),
  'time window': wrong(
    'time window',
    'a row has the time at which its transaction began: one that takes longer than the window is lost',
    { events: [{ kind: 'session' }], ticks: 3, lives: [4, 4] },
  ),
  'xmin with an id cursor': wrong(
    'xmin with an id cursor',
    'transaction ids and row ids are taken at different moments',
    TWO_WRITERS,
  ),
  'wait for xmin': wrong(
    'wait for xmin',
    'anybody’s open transaction, in any database of the server, stalls the feed',
    { ...TWO_WRITERS, foreignTransaction: true },
    /^stuck/,
  ),
  'push alone': wrong('push alone', 'a push notification may be lost, and nothing reports it', {
    events: [{ kind: 'session' }],
  }),
  'replica reads': wrong('replica reads', 'a replica is behind without bound', {
    events: [{ kind: 'session' }],
  }),
  'kept snapshot': wrong('kept snapshot', 'a transaction that stays open sees the same for ever', {
    events: [{ kind: 'session' }],
  }),
  'rowid reuse': wrong(
    'rowid reuse',
    'the number of the newest row is used again after it was purged',
    { events: [{ kind: 'session' }], lives: [3, 3], purge: true, ticks: 2 },
    /^P2/,
    'X1',
  ),
  'cursor kept over failover': wrong(
    'cursor kept over failover',
    'numbers are handed out twice, and the cursor has passed them',
    { events: [{ kind: 'other' }, { kind: 'session' }], failovers: 1, lossy: true, jumps: 0 },
  ),
};
