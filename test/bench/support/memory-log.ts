import {
  type LogConnection,
  logOn,
  type LogDatabase,
  type Row,
  type Statement,
  type StatementResult,
} from '../../support/internals.js';
import { AuthClock } from '../../../lib/platform/auth-clock.js';
import { sqliteDialect } from '../../../lib/database/sqlite.dialect.js';
import type { Transaction } from '../../../lib/database/statement.js';

const LOG_ID = 'the log of a bench';

/**
 * An empty log without a database, for the Node versions that no driver was compiled for. It answers
 * polls as a real one would; nothing can be written into it.
 */
export function memoryLog(): Pick<LogConnection, 'open' | 'close' | 'application'> {
  const log = logOn(new EmptyDatabase(), new AuthClock(), LOG_ID);
  log.history.jumped(0);
  return { open: async () => log, close: async () => undefined, application: undefined };
}

class EmptyDatabase implements LogDatabase {
  readonly dialect = sqliteDialect();

  async read(statement: Statement): Promise<StatementResult> {
    return answer(statement);
  }

  async poll(statement: Statement, _: number, onSend: () => void): Promise<StatementResult> {
    onSend();
    return answer(statement);
  }

  async transaction<T>(body: () => Transaction<T>): Promise<T> {
    const statements = body();
    let step = statements.next();
    while (step.done !== true) step = statements.next(answer(step.value));
    return step.value;
  }

  async adopt(): Promise<void> {}

  async close(): Promise<void> {}
}

function answer({ sql }: Statement): StatementResult {
  if (!sql.includes('head_position')) {
    // An account that nothing is known of.
    const account = { account_kills_below: null, issuer_kills_below: null };
    const rows = sql.includes(' AS now') ? [{ now: String(Date.now()), ...account }] : [];
    return { rows, affected: 1 };
  }
  const head: Row = {
    log_id: LOG_ID,
    head_position: '0',
    last_event_id: null,
    purged_through: '0',
    format: '1',
    max_staleness: String(Number.MAX_SAFE_INTEGER),
    max_token_life: String(Number.MAX_SAFE_INTEGER),
    now: String(Date.now()),
    pending_marks: '0',
    event_id: null,
  };
  return { rows: [head], affected: 0 };
}
