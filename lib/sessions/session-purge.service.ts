import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { setImmediate } from 'node:timers/promises';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { RevocationPurge } from '../revocation/revocation-purge.service.js';
import { SessionStore } from './session-store.service.js';

/** Sessions deleted in one transaction. */
const RANGE = 500;

/**
 * How much longer than any token an account's marks are kept (ms). Who reads a position and stores the
 * session later than this finds no mark; its access token is long dead.
 */
const MARK_MARGIN = 86_400_000;

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
    this.purge.alsoPurge((now, isStopped) => this.sweep(now, isStopped));
  }

  private async sweep(now: number, isStopped: () => boolean): Promise<number> {
    const { historyFor, maxTokenLife } = this.options;
    let deleted = 0;
    for (let found = RANGE; found === RANGE && !isStopped();) {
      const rows = await this.store.read(({ statements }) =>
        statements.findOver(now - historyFor, RANGE),
      );
      found = rows.length;
      const keys = rows.map((row) => row['session_key'] ?? '').toSorted();
      if (found > 0) deleted += await this.store.write((of) => of.erase(keys));
      await setImmediate();
    }
    await this.store.write((of) => of.purgeTraces(now, now - maxTokenLife - MARK_MARGIN));
    return deleted;
  }
}
