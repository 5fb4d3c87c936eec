import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { setImmediate } from 'node:timers/promises';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { RevocationPurge } from '../revocation/revocation-purge.service.js';
import type { Row, Statement, Transaction } from '../revocation/store/statement.js';
import { SessionStore } from './session-store.service.js';
import type { SessionTransactions } from './store/session.transactions.js';

/** Rows chosen without locks and deleted by key in one transaction. */
const RANGE = 500;

/**
 * How much longer than any token an account's marks are kept (ms): longer than a login may take, from
 * the reading of its position to its end.
 */
const MARK_MARGIN = 86_400_000;

/** One sort of rows: how some are found, and how these are deleted. */
interface Sweep {
  readonly find: (of: SessionTransactions) => Statement;
  readonly key: string;
  readonly erase: (of: SessionTransactions, keys: readonly string[]) => Transaction<number>;
}

/**
 * Deletes what is left of logins that have ended: their rows after `historyFor`, used refresh tokens
 * when they have expired, sealed successors when their grace is over, marks that end no session.
 */
@Injectable()
export class SessionPurge implements OnModuleInit {
  constructor(
    private readonly store: SessionStore,
    private readonly purge: RevocationPurge,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {}

  onModuleInit(): void {
    this.purge.alsoPurge(async (now, isStopped) => {
      let deleted = 0;
      for (const sweep of this.sweeps(now)) {
        if (!isStopped()) deleted += await this.run(sweep, isStopped);
      }
      return deleted;
    });
  }

  private sweeps(now: number): Sweep[] {
    const { historyFor, maxTokenLife } = this.options;
    const over = now - historyFor;
    const markedBefore = now - maxTokenLife - MARK_MARGIN;
    const sessions = (find: Sweep['find']): Sweep => ({
      find,
      key: 'session_key',
      erase: (of, keys) => of.erase(keys),
    });
    const traces = (what: 'grace_until' | 'expires_at'): Sweep => ({
      find: ({ statements }) => statements.findTraces(what, now, RANGE),
      key: 'token_digest',
      erase: (of, digests) => of.forgetTraces(what, digests),
    });
    return [
      sessions(({ statements }) => statements.findOver('ended_at', over, RANGE)),
      sessions(({ statements }) => statements.findOver('idle_until', over, RANGE)),
      sessions(({ statements }) => statements.findMarked(over, RANGE)),
      traces('grace_until'),
      traces('expires_at'),
      {
        find: ({ accounts }) => accounts.findForgettable(markedBefore, now, RANGE),
        key: 'subject_key',
        erase: (of, keys) => of.forgetAccounts(keys, markedBefore, now),
      },
    ];
  }

  private async run({ find, key, erase }: Sweep, isStopped: () => boolean): Promise<number> {
    let deleted = 0;
    for (let found = RANGE; found === RANGE && !isStopped();) {
      const rows: readonly Row[] = await this.store.read(find);
      found = rows.length;
      if (found === 0) break;
      const keys = rows.map((row) => row[key] ?? '').toSorted();
      deleted += await this.store.write((of) => erase(of, keys));
      await setImmediate();
    }
    return deleted;
  }
}
