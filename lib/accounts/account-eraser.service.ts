import { Injectable, Logger } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { AuthClock } from '../platform/auth-clock.js';
import { messageOf } from '../platform/log-text.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import { eraseApiTokens } from '../api-tokens/api-token-sweep.js';
import { changeAll, eraseSessions, type Find, RANGE } from '../sessions/session-sweep.js';
import { SessionStore } from '../sessions/session-store.service.js';

/** Between two checks whether a caller's transaction is over (ms). */
const LOOK_AGAIN = 1_000;

/**
 * Erases what is stored about the logins of a removed account: ids, devices and addresses. The account's
 * own row stays until its last token has expired, because it is what revokes them.
 */
@Injectable()
export class AccountEraser {
  private readonly logger = new Logger('AccountService');

  constructor(
    private readonly log: RevocationLog,
    private readonly store: SessionStore,
    private readonly clock: AuthClock,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * Erases the sessions and API tokens that started before a position: a new account of this name may have logged in
   * after it.
   */
  async eraseBelow(subjectKey: string, position: number): Promise<void> {
    const find: Find = ({ statements }) => statements.findOfSubject(subjectKey, position, RANGE);
    await changeAll(this.store, find, eraseSessions);
    if (this.options.apiTokens === undefined) return;
    await eraseApiTokens(this.store, subjectKey, position);
  }

  /**
   * The same once the caller's transaction is over, if it committed the event. Inside the transaction
   * nothing of ours is touched: its locks would be held until the caller commits (C1).
   */
  eraseAfter(
    transaction: Pick<QueryRunner, 'isTransactionActive'>,
    eventId: string,
    subjectKey: string,
  ): void {
    const since = this.clock.monotonic();
    const look = (): void => {
      const isLate = this.clock.monotonic() - since > this.options.maxTokenLife;
      if (transaction.isTransactionActive && !isLate) this.clock.schedule(LOOK_AGAIN, look);
      else void this.eraseOf(eventId, subjectKey, isLate ? undefined : look);
    };
    this.clock.schedule(LOOK_AGAIN, look);
  }

  private async eraseOf(
    eventId: string,
    subjectKey: string,
    again: (() => void) | undefined,
  ): Promise<void> {
    try {
      const position = await this.log.positionOf(eventId);
      if (position !== undefined) await this.eraseBelow(subjectKey, position);
    } catch (error) {
      if (again !== undefined) {
        this.clock.schedule(LOOK_AGAIN, again);
        return;
      }
      this.logger.warn(
        `The logins of a removed account could not be deleted. The purge deletes them when they would have expired: ${messageOf(error)}`,
      );
    }
  }
}
