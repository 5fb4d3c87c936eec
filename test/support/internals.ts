/*
 * What specs use besides the public API. Only this file knows where it is in lib; the unit tests
 * below test/unit, which follow the folders of lib, import it by path.
 */

export { newApiToken } from '../../lib/api-tokens/api-token.js';
export { KeyRing } from '../../lib/authentication/key-ring.js';
export { bearerToken } from '../../lib/authentication/token-source.js';
export { CommandLog } from '../../lib/cli/command-log.js';
export { runCommand } from '../../lib/cli/run-command.js';
export { AccountStatements } from '../../lib/database/account.statements.js';
export {
  deriveDataSourceOptions,
  POOL_SIZE,
} from '../../lib/database/derive-data-source-options.js';
export { AuthSession } from '../../lib/database/entities/auth-session.entity.js';
export { AUTH_TABLES, integerOf } from '../../lib/database/entities/table.js';
export { type EventDraft, newEventId } from '../../lib/revocation/log/event-draft.js';
export { InstanceStatements } from '../../lib/database/instance.statements.js';
export { type LogDatabase, StorageFailure } from '../../lib/database/log-database.js';
export { pageOf } from '../../lib/database/event-page.js';
export { type Head, LogStatements } from '../../lib/database/log.statements.js';
export { openLogDatabase } from '../../lib/database/open-log-database.js';
export {
  type LogEvent,
  PendingEvent,
  SUPPORTED_FORMAT,
} from '../../lib/database/entities/revocation-event.entity.js';
export { ServerLogDatabase } from '../../lib/database/server-log-database.js';
export { newRefreshRow, SessionStatements } from '../../lib/database/session.statements.js';
export { SqliteLogDatabase } from '../../lib/database/sqlite-log-database.js';
export {
  type Row,
  type Statement,
  statementOf,
  type StatementResult,
} from '../../lib/database/statement.js';
export { StatementRepository } from '../../lib/database/statement-repository.js';
export { importPeer } from '../../lib/errors/auth-wiring.error.js';
export { AuthMeter } from '../../lib/events/auth-meter.service.js';
export { cookies } from '../../lib/http/cookie-options.js';
export { resolveHttpOptions } from '../../lib/http/http-options.js';
export { TokenIntrospector } from '../../lib/http/token.routes.js';
export type { AuthKey } from '../../lib/options/auth-key.js';
export type { ResolvedAuthOptions } from '../../lib/options/resolved-auth-options.js';
export { UNBOUNDED } from '../../lib/options/operation-settings.js';
export { claimsOf, requestOf } from '../../lib/platform/request.js';
export { logText, messageOf } from '../../lib/platform/log-text.js';
export { assertOneCopyOfNest } from '../../lib/platform/auth-exception.filter.js';
export { RELEASE } from '../../lib/platform/release.js';
export { LogCursor } from '../../lib/revocation/feed/log-cursor.js';
export { LOAD_PAGE, loadLog } from '../../lib/revocation/feed/log-loader.js';
export { LogFollower } from '../../lib/revocation/feed/log-follower.js';
export { RevocationFeed } from '../../lib/revocation/feed/revocation-feed.service.js';
export { EventKeys } from '../../lib/revocation/index/event-key.js';
export { MarkTable } from '../../lib/revocation/index/mark.js';
export { RevocationIndex } from '../../lib/revocation/index/revocation-index.js';
export { AppendAtOnce } from '../../lib/revocation/log/append.js';
export { ClockCheck } from '../../lib/revocation/log/clock-check.service.js';
export { InDoubtCommits } from '../../lib/revocation/log/in-doubt-commits.js';
export { LogConnection } from '../../lib/revocation/log/log-connection.service.js';
export { jump, LogHistory } from '../../lib/revocation/log/log-history.js';
export { LogPositions } from '../../lib/revocation/log/log-positions.service.js';
export { type Appended, LogTransactions } from '../../lib/revocation/log/log.transactions.js';
export { type Answer, logOn, type OpenLog, openLogOn } from '../../lib/revocation/log/open-log.js';
export { RevocationLog } from '../../lib/revocation/log/revocation-log.service.js';
export { RevocationPurge } from '../../lib/revocation/log/revocation-purge.service.js';
export { PushLink } from '../../lib/revocation/push/push-link.service.js';
export { RevocationDecider } from '../../lib/revocation/revocation-decider.service.js';
export { ProofClock } from '../../lib/revocation/staleness/proof-clock.js';
export { StalePolicies } from '../../lib/revocation/staleness/stale-policies.service.js';
export { codeOf } from '../../lib/revocation/verdict.js';
export { assertSignable } from '../../lib/sessions/access-token.signer.js';
export { openSuccessor, refreshTokenDigest } from '../../lib/sessions/refresh-token.js';
export { RefreshTokenLookup } from '../../lib/sessions/refresh-token-lookup.service.js';
export { SessionStore } from '../../lib/sessions/session-store.service.js';
