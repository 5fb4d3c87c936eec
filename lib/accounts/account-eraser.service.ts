import { Injectable, Logger } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { AuthClock } from '../platform/auth-clock.js';
import { messageOf } from '../platform/log-text.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import { eraseApiTokens } from '../api-tokens/api-token-sweep.js';
import { changeAll, eraseSessions, type Find, RANGE } from '../sessions/session-sweep.js';
import { SessionStore } from '../sessions/session-store.service.js';

/** The time between two checks whether a caller's transaction is over (ms). */
const LOOK_AGAIN = 1_000;

/**
 * Deletes what is stored about the logins of a removed account: ids, devices and addresses. The row
 * of the account itself is kept until its last token has expired, because it revokes these tokens.
 * It has only hashes.
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
   * Deletes the sessions and API tokens from before a position. Later ones may belong to a new
   * account with the same id.
   */
  async eraseBelow(subjectKey: string, position: number): Promise<void> {
    const find: Find = ({ statements }) => statements.findOfSubject(subjectKey, position, RANGE);
    await changeAll(this.store, find, eraseSessions);
    if (this.options.apiTokens === undefined) return;
    await eraseApiTokens(this.store, subjectKey, position);
  }

  /**
   * Does the same after the caller's transaction, if that committed the event. Deleting within the
   * transaction would hold locks on our tables until the caller commits (C1).
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
