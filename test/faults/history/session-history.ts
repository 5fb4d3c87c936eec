import type { History, Operation } from './operation.js';

/** An operation that ends sessions, and since when it surely takes effect. */
export interface Ending {
  readonly operation: Operation;
  /** When it had surely been committed; Infinity if that is unknown. */
  readonly settled: number;
  /** The one session that is spared. */
  readonly except: string | undefined;
  /** What may be reported to its owner. */
  readonly reason: 'logout' | 'logged_out_elsewhere' | 'refresh_reused';
}

/** All that happened to one login. */
export interface SessionHistory {
  readonly session: string;
  readonly login: Operation | undefined;
  /** In the order of their invocation. */
  readonly operations: readonly Operation[];
  /** Those that must end it: they were invoked after its tokens had been issued. */
  readonly must: readonly Ending[];
  /** Those that can have ended it: all except those that were settled before its login started. */
  readonly may: readonly Ending[];
  /** The last one that was settled before. */
  readonly past: Ending | undefined;
}

/** Sorts a history by login. Its cost is the operations, and for each account its logins times its ends. */
export function* sessionsOf(history: History): Generator<SessionHistory> {
  const sessions = new Map<string, Operation[]>();
  const ofSession = new Map<string, Ending[]>();
  const ofSubject = new Map<string, Ending[]>();
  const presentations = new Map<string, number>();
  for (const operation of history.operations) {
    const { session, presented } = operation;
    if (presented !== undefined) {
      presentations.set(presented, (presentations.get(presented) ?? 0) + 1);
    }
    if (session === '') continue;
    const list = sessions.get(session);
    if (list === undefined) sessions.set(session, [operation]);
    else list.push(operation);
  }
  for (const operation of history.operations) {
    const ending = endingOf(operation, presentations);
    if (ending === undefined) continue;
    const isAccountAct = operation.kind === 'logoutAll' || operation.kind === 'logoutOthers';
    const endings = isAccountAct ? ofSubject : ofSession;
    const key = isAccountAct ? operation.subject : operation.session;
    const list = endings.get(key);
    if (list === undefined) endings.set(key, [ending]);
    else list.push(ending);
  }
  for (const [session, operations] of sessions) {
    const login = operations.find(({ kind }) => kind === 'login');
    const own = ofSession.get(session) ?? [];
    const subject = login?.subject ?? operations[0]?.subject ?? '';
    const account = (ofSubject.get(subject) ?? []).filter(({ except }) => except !== session);
    const begun = login ?? { invoked: -Infinity, completed: -Infinity };
    yield {
      session,
      login,
      operations,
      must: [...own, ...account.filter(({ operation }) => operation.invoked >= begun.completed)],
      may: [...own, ...account.filter(({ settled }) => settled > begun.invoked)],
      past: account.findLast(({ settled }) => settled <= begun.invoked),
    };
  }
}

function endingOf(
  operation: Operation,
  presentations: ReadonlyMap<string, number>,
): Ending | undefined {
  const { kind, outcome, session, completed, isCommitted, code, presented } = operation;
  const settled = outcome === 'ok' || isCommitted === true ? completed : Infinity;
  if (kind === 'refresh') {
    // A token presented twice may be taken for stolen; such an answer has ended its session.
    const isReuse = code === 'refresh_token_reused';
    const isDoubtful = outcome === 'unknown' && (presentations.get(presented ?? '') ?? 0) > 1;
    if (!isReuse && !isDoubtful) return undefined;
    const known = isReuse ? completed : Infinity;
    return { operation, settled: known, except: undefined, reason: 'refresh_reused' };
  }
  if (outcome === 'fail') return undefined;
  if (kind === 'logout') return { operation, settled, except: undefined, reason: 'logout' };
  if (kind === 'logoutAll') {
    return { operation, settled, except: undefined, reason: 'logged_out_elsewhere' };
  }
  if (kind === 'logoutOthers') {
    return { operation, settled, except: session, reason: 'logged_out_elsewhere' };
  }
  return undefined;
}
