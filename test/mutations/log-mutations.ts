import type { Mutation } from './mutation.js';

const CLOCKS = 'cluster/feed/clocks-that-step';
const LOAD = 'cluster/feed/f7-load-in-pages';
const LOST_FUTURE = 'cluster/failover/lost-future';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** Lost histories, clocks, keys of issuers and the purge (issue 9). */
export const LOG_MUTATIONS: readonly Mutation[] = [
  one(
    'a poll is planned again each time',
    'database/log.statements',
    "named('poll', this",
    "((_, make) => make)('poll', this",
    'cluster/feed/kept-plan',
  ),
  one(
    'the next page of a load starts one event too late',
    'revocation/feed/log-loader',
    'read(page.last)',
    'read(page.last + 1)',
    'cluster/feed/f7-cold-load',
  ),
  one(
    'a list that was cut off is taken as complete',
    'database/event-page',
    "if (texts.length === count + 1 && texts[count] === '')",
    'if (true)',
    'unit/database/event-page',
  ),
  one(
    'a load leaves out the event that it does not understand',
    'revocation/index/revocation-index',
    'throw new TypeError(`event ${event.id} has the unknown kind ${String(kind)}`);',
    ';',
    LOAD,
  ),
  one(
    'a failed load leaves a statement on the connection of the feed',
    'revocation/feed/log-loader',
    'await Promise.allSettled([next, adding]);',
    'void Promise.allSettled([next, adding]);',
    LOAD,
  ),
  one(
    'a long load reports nothing',
    'revocation/feed/log-loader',
    'this.logger.log(',
    '((line) => line)(',
    LOAD,
  ),
  one(
    'a log that no instance follows is loaded without a jump',
    'revocation/log/open-log',
    "integerOf(rows[0]?.['running']) > 0",
    'true',
    LOST_FUTURE,
  ),
  one(
    'a token in a gap is decided by its gen like any other',
    'revocation/index/history-gaps',
    'if (gen > gap.after)\n                return 0;',
    '',
    `${LOST_FUTURE}|unit/revocation/index/history-gaps`,
  ),
  one(
    'the jump of an older release leaves no gap',
    'revocation/index/revocation-index',
    'killsBelow ?? (this.highest < position ? this.highest : position - 1)',
    'killsBelow ?? position - 1',
    'unit/revocation/index/history-gaps',
  ),
  one(
    'the gap of an older release is forgotten with its row',
    'revocation/index/revocation-index',
    'killsBelow === null || until === null',
    'until === null',
    'unit/revocation/index/history-gaps',
  ),
  one(
    'a jump is kept for two minutes only',
    'revocation/log/log.transactions',
    'until: head.now + this.history.gapLife(head) + RETENTION_MARGIN',
    'until: head.now + RETENTION_MARGIN',
    LOST_FUTURE,
  ),
  one(
    'the database’s time never goes back',
    'revocation/staleness/proof-clock',
    'this.databaseTime = databaseNow;',
    'this.databaseTime = Math.max(this.database(), databaseNow);',
    CLOCKS,
  ),
  one(
    'events are forgotten while the clocks differ',
    'revocation/log/clock-check.service',
    'Math.abs(wall - database) > LARGEST_DIFFERENCE ? undefined : Math.min(wall, database)',
    'database',
    CLOCKS,
  ),
  one(
    'events are forgotten after both clocks of a machine leapt',
    'revocation/log/clock-check.service',
    'if (isLeap && passed < this.options.maxTokenLife)',
    'if (false)',
    CLOCKS,
  ),
  one(
    'clocks that differ raise no alarm',
    'revocation/log/clock-check.service',
    'this.logger.error(messageOf(now, wrong));',
    '',
    CLOCKS,
  ),
  one(
    'clocks that differ report no event',
    'revocation/log/clock-check.service',
    "this.events.tell({ type: 'clocks_differ', reason: wrong });",
    ';',
    CLOCKS,
  ),
  one(
    'the alarm names the clock that is right',
    'revocation/log/clock-check.service',
    'hostStep > databaseStep',
    'hostStep < databaseStep',
    CLOCKS,
  ),
  one(
    'a host that is ahead at its boot raises no alarm',
    'revocation/log/clock-check.service',
    'if (Math.abs(ahead) <= LARGEST_DIFFERENCE)',
    'if (this.agreed === undefined || Math.abs(ahead) <= LARGEST_DIFFERENCE)',
    CLOCKS,
  ),
  one(
    'an event is kept by a clock that went back',
    'revocation/log/log.transactions',
    'Math.max(head.now, this.history.latestTime, this.clock.wall())',
    'head.now',
    CLOCKS,
  ),
  one(
    'a login uses the host’s clock',
    'sessions/login.service',
    'assertCurrent(since, this.positions.databaseNow())',
    'assertCurrent(since, this.positions.proofs.now())',
    CLOCKS,
  ),
  one(
    'a pending event stays in effect after it was numbered',
    'revocation/index/revocation-index',
    'this.waiting.numbered(event.id);',
    ';',
    'unit/revocation/index/revocation-index',
  ),
  one(
    'an instance that lags misses what it saw pending',
    'revocation/index/revocation-index',
    'this.waiting.numbered(event.id);',
    '',
    'cluster/feed/x3',
  ),
  one(
    'the latest of several acts on an account is purged, not the earlier ones',
    'database/purge.statements',
    'AND e.position < l.position',
    'AND e.position > l.position',
    'releases/previous-release',
  ),
  one(
    'an event is covered by one that spares a session',
    'database/purge.statements',
    'AND (l.except_key IS NULL OR l.except_key = e.except_key)',
    '',
    'cluster/feed/x1-covered',
  ),
  one(
    'a pending event that was purged is missed, whatever covers it',
    'revocation/index/waiting-events',
    ' && !isCovered(event)',
    '',
    'unit/revocation/index/revocation-index',
  ),
  one(
    'an event for access tokens only covers one for sessions',
    'database/purge.statements',
    ' AND e.access_only = l.access_only',
    '',
    'cluster/feed/x1-covered',
  ),
  one(
    'the claim of a purge is not renewed',
    'revocation/log/revocation-purge.service',
    'isLost = !(await claim.renew());',
    '',
    'cluster/feed/s16',
  ),
];
