import type { Mutation } from './mutation.js';

const HISTORY = 'revocation/log/log-history';
const TRANSACTIONS = 'revocation/log/log.transactions';
const CURSOR = 'revocation/feed/log-cursor';
const H2 = 'cluster/protocol/h2';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** What fail-overs, backups and push notifications rest on (issue 4). */
export const CLUSTER_MUTATIONS: readonly Mutation[] = [
  one('another server is not noticed', HISTORY, 'head.server !== head.serverNow', 'false', H2),
  one(
    'another server behind the same address is not noticed',
    HISTORY,
    'head.server !== head.serverNow',
    'false',
    'cluster/failover/mariadb-address',
  ),
  one(
    'a head behind a known position is written to',
    HISTORY,
    'if (head.position < seen)',
    'if (false)',
    H2,
  ),
  one(
    'a fork causes no jump',
    HISTORY,
    'this.contradictedAt = head.position;',
    '',
    'cluster/feed/h1-fork',
  ),
  one(
    'a restored file continues at the end of the old copy',
    HISTORY,
    'head.serverNow === null ? !this.hasJumped : this.isUnknown',
    'head.serverNow !== null && this.isUnknown',
    H2,
  ),
  one(
    'a jump goes only one position ahead',
    HISTORY,
    'Math.max(head.position, head.now * MICROSECONDS, this.seen) + JUMP',
    'head.position + 1',
    H2,
  ),
  one(
    'a jump leaves a gap',
    TRANSACTIONS,
    'yield this.statements.raisePurgedThrough(position - 1);',
    '',
    H2,
  ),
  one(
    'a standby is trusted',
    'database/server-log-database',
    "result.rows[0]?.['read_only'] === '1'",
    'false',
    'cluster/failover/standby',
  ),
  one(
    'an own write may be missing in an answer that was in flight',
    CURSOR,
    'const isMoved = this.position > sent.position;',
    'const isMoved = false;',
    'cluster/feed/f3',
  ),
  one('a refresh forgets what the database has lost', 'sessions/rotate', '?? knownEnd', '', H2),
  one(
    'a token from beyond the head is never decided',
    'revocation/log/log-positions.service',
    'this.jumpedUntil = this.clock.monotonic() + JUMP_REST;',
    '',
    'cluster/protocol/g5',
  ),
  one(
    'only the last of two tokens beyond the head counts',
    'revocation/log/log-positions.service',
    'this.wanted = Math.max(this.wanted, position);',
    'this.wanted = position;',
    'cluster/protocol/g5',
  ),
  one(
    'a log that grew by itself counts as jumped',
    'revocation/log/log-positions.service',
    'if (!hasJumped)',
    'if (false)',
    'cluster/protocol/g5',
  ),
  one(
    'a push channel that does not receive its own messages is trusted',
    'revocation/push/push-link.service',
    'this.lose(new Error(`It connects',
    'void (new Error(`It connects',
    'cluster/hints/self-test',
  ),
  one(
    'push notifications have no minimum interval',
    'revocation/push/push-message',
    'const wait = this.quietFrom - this.clock.monotonic();',
    'const wait = 0;',
    'hint-pacer',
  ),
];
