import type { Mutation } from './mutation.js';

const NAMES = 'cluster/storage/table-names';
const FOLLOWED = 'cluster/storage/followed-source';
const FEED = 'cluster/feed/s1-own-connection';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** What the log's connections, their recovery and their names rest on (issue 9). */
export const CONNECTIONS_MUTATIONS: readonly Mutation[] = [
  one(
    'a poll sorts pending events as text',
    'database/log.statements',
    'ORDER BY p.event_id LIMIT',
    'ORDER BY event_id LIMIT',
    'cluster/storage/query-plans',
  ),
  one(
    'rows are sorted by the selected text of the column',
    'database/statement-repository',
    ' ORDER BY t.${',
    ' ORDER BY ${',
    'cluster/storage/query-plans',
  ),
  one(
    'accounts are locked in any order',
    'database/account.statements',
    "{ orderBy: 'key', lock: true }",
    '{ lock: true }',
    'cluster/storage/query-plans',
  ),
  one(
    'a look-up of refresh tokens reads every pending event',
    'database/table-definitions',
    "{ name: 'auth_pending_key', table: 'auth_pending', columns: 'event_key' },",
    '',
    'cluster/storage/query-plans',
  ),
  one(
    'an in-memory log is read where the application has opened another database',
    'database/sqlite-log-database',
    'if (this.dataSource === undefined && handle !== this.handle)',
    'if (false)',
    'cluster/storage/sqlite-file',
  ),
  one(
    'the feed takes its connection from the pool',
    'database/open-log-database',
    'open: () => connect(application, feedOptions).catch(refused),',
    'open: async () => Object.assign(Object.create(dataSource), { destroy: async () => undefined }),',
    FEED,
  ),
  one(
    'a load waits behind callers for a connection of the pool',
    'database/server-log-database',
    "if (via === 'feed')",
    'if (false)',
    FEED,
  ),
  one(
    'a dead connection of the feed fails the poll',
    'database/feed-connection',
    "if (isLate || this.options.dialect.failure(error) !== 'connection')",
    'if (true)',
    FEED,
  ),
  one(
    'a connection that was silent for long is still used',
    'database/feed-connection',
    'silence <= this.options.trustedFor',
    'true',
    FEED,
  ),
  one(
    'a DataSource that was initialised again is not followed',
    'revocation/log/log-connection.service',
    'if (!isInitialisedAgain && !isRefused)',
    'if (!isRefused)',
    FOLLOWED,
  ),
  one(
    'options are not read again when the database refuses the log',
    'revocation/log/log-connection.service',
    'if (!isInitialisedAgain && !isRefused)',
    'if (!isInitialisedAgain)',
    FOLLOWED,
  ),
  one(
    'an application that closes while its new address is down leaves the old connections open',
    'revocation/log/log-connection.service',
    'await this.connecting.idle();',
    'if ((await this.current?.catch(() => undefined)) === undefined) return;',
    FOLLOWED,
  ),
  one(
    'another log is taken for the log that the instance follows',
    'revocation/log/log-history',
    'if (id === null || this.id !== id)',
    'if (false)',
    FOLLOWED,
  ),
  one(
    'a table of another program is taken for ours',
    'database/check-tables',
    'if (present.size === 0 || missing.length === 0)',
    'if (true)',
    NAMES,
  ),
  one(
    'a missing column is not found',
    'database/check-tables',
    '!found.has(column)',
    'false',
    'cluster/cli/doctor',
  ),
  one(
    'save() of an application changes a session',
    'database/entities/auth-entities',
    'update: false,',
    '',
    'cluster/storage/entities',
  ),
  one(
    'the schema builder of an application alters our tables',
    'database/entities/auth-entities',
    'synchronize: false,',
    '',
    'cluster/storage/entities',
  ),
  one(
    'an index has no prefix',
    'database/dialect',
    'INDEX IF NOT EXISTS ${prefixed(name)} ON',
    'INDEX IF NOT EXISTS ${name} ON',
    NAMES,
  ),
  one(
    'a new log starts beside one in use',
    'database/check-tables',
    'if (found === undefined || found.position === 0)',
    'if (true)',
    NAMES,
  ),
  one(
    'an SQLite file is readable by everyone',
    'database/open-log-database',
    '0o600',
    '0o644',
    'cluster/storage/private-file',
  ),
  one(
    'refused credentials start an application that answers 503',
    'revocation/revocation.lifecycle',
    '(!ready && reason !== undefined)',
    'false',
    'cluster/storage/refused-connection',
  ),
  one(
    'a text of a client becomes SQL under NO_BACKSLASH_ESCAPES',
    'database/mysql.dialect',
    "',NO_BACKSLASH_ESCAPES,'",
    "',ANOTHER,'",
    'cluster/storage/server-settings',
  ),
  one(
    'a placeholder in the name of a schema is counted',
    'database/postgres.dialect',
    'if (!/[$?]/.test(schema))',
    'if (true)',
    'cluster/storage/table-names',
  ),
  {
    name: 'a connection that the server ended fails the poll',
    edits: [
      {
        file: 'database/feed-connection',
        find: 'link.broken === undefined && silence',
        replace: 'silence',
      },
      {
        file: 'database/feed-connection',
        find: "if (isLate || this.options.dialect.failure(error) !== 'connection')",
        replace: 'if (true)',
      },
    ],
    tests: 'cluster/storage/server-settings',
  },
];
