import type { Mutation } from './mutation.js';

const LOGIN = 'sessions/login.service';
const SCOPED = 'logout/scoped-logout.service';
const SCOPE = 'sessions/session-scope';
const TESTS = 'cluster/sessions/logout-scopes';

function one(name: string, file: string, find: string, replace: string, tests = TESTS): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** What logout by client and by grant rests on (docs/logout-scopes.md). */
export const SCOPE_MUTATIONS: readonly Mutation[] = [
  one(
    'a login does not look for the cut-off of its client or grant',
    LOGIN,
    'await this.refuseOvertaken(session, context);',
    '',
  ),
  {
    name: 'a login looks for the cut-off of its scope before it is stored',
    edits: [
      {
        file: LOGIN,
        find: 'const outcome = await this.store.writeAtOnce(',
        replace:
          'await this.refuseOvertaken(session, context); const outcome = await this.store.writeAtOnce(',
      },
      {
        file: LOGIN,
        find: 'if (session.client !== null || session.grantId !== null) {',
        replace: 'if (false) {',
      },
    ],
    tests: TESTS,
  },
  one(
    'an overtaken login returns its tokens',
    LOGIN,
    "throw this.refuse('session_ended'",
    "this.refuse('session_ended'",
  ),
  one(
    'the session of an overtaken login goes on',
    LOGIN,
    'await this.writer.endSessions([sid],',
    'void ([sid],',
  ),
  one(
    'a logout of a scope looks for sessions before its cut-off',
    SCOPED,
    'return this.writer.end({ request, reason: REASON, afterCommit }, options);',
    'return afterCommit({ events: [{ position: 9e15 }] }).then(() => this.writer.end({ request, reason: REASON }, options));',
  ),
  one('a logout of a scope ends later logins', SCOPED, 'events[0]?.position ?? 0', '9e15'),
  one(
    'a logout of one client ends all of the account',
    SCOPE,
    'session.client === scope.client',
    'true',
  ),
  one('only the first page of a grant ends', SCOPE, 'found = page.length;', 'found = 0;'),
  one(
    'a grant that is too long is cut',
    SCOPE,
    'if (isIdentifier(given))',
    'if (given.length > 0)',
  ),
  one(
    'a client and a grant of one name share a cut-off',
    'revocation/index/event-key',
    "['grant', ownIssuer, scope.grant]",
    "['client', ownIssuer, '']",
  ),
  one(
    'the list of sessions does not show the grant',
    'http/sessions.routes',
    '...(grant === null ? {} : { grant }),',
    '',
    'e2e/http-sessions',
  ),
];
