import type { Mutation } from './mutation.js';

const FOLLOWED = 'cluster/storage/followed-source';
const FEED = 'cluster/feed/s1-own-connection';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** What the log's connections, their recovery and their names rest on (issue 9). */
export const CONNECTIONS_MUTATIONS: readonly Mutation[] = [
  one(
    'a poll sorts pending events by their texts',
    'revocation/store/log.statements',
    'ORDER BY p.event_id LIMIT',
    'ORDER BY event_id LIMIT',
    'cluster/storage/query-plans',
  ),
  one(
    'the feed takes its connection from the pool',
    'revocation/store/open-log-database',
    'open: () => connect(application, feedOptions),',
    'open: async () => Object.assign(Object.create(dataSource), { destroy: async () => undefined }),',
    FEED,
  ),
  one(
    'a dead connection of the feed fails the poll',
    'revocation/store/feed-connection',
    "if (isLate || this.options.dialect.failure(error) !== 'connection')",
    'if (true)',
    FEED,
  ),
  one(
    'a connection that was silent for long is tried all the same',
    'revocation/store/feed-connection',
    'silence <= trustedFor',
    'true',
    FEED,
  ),
  one(
    'a DataSource that was initialised again is not followed',
    'revocation/log-connection.service',
    'if (!isInitialisedAgain && !isRefused)',
    'if (!isRefused)',
    FOLLOWED,
  ),
  one(
    'options are not read again when the database refuses the log',
    'revocation/log-connection.service',
    'if (!isInitialisedAgain && !isRefused)',
    'if (!isInitialisedAgain)',
    FOLLOWED,
  ),
  one(
    'another log is taken for the one that is followed',
    'revocation/log-history',
    'if (id === null || this.id !== id)',
    'if (false)',
    FOLLOWED,
  ),
];
