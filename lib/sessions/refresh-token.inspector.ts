import { Inject, Injectable } from '@nestjs/common';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { EventKeys } from '../revocation/index/event-key.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import type { Transaction } from '../database/statement.js';
import { refreshTokenDigest } from './refresh-token.js';
import { RefreshService } from './refresh.service.js';
import { SessionStore } from './session-store.service.js';
import { refreshOf, type RefreshRow, type SessionRow } from '../database/session-rows.js';
import { endOf, refusalOf, type SessionTransactions } from './session.transactions.js';

/** A refresh token that would be taken now. */
export interface LiveRefreshToken {
  readonly session: SessionRow;
  /** Epoch ms. */
  readonly expiresAt: number;
}

/** Looks at refresh tokens without using them; asks the primary, so that the answer is never old. */
@Injectable()
export class RefreshTokenInspector {
  constructor(
    private readonly log: RevocationLog,
    private readonly refreshes: RefreshService,
    private readonly store: SessionStore,
    private readonly keys: EventKeys,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * @returns `undefined` for one that is unknown, used, expired or ended, or whose account may not
   * log in. One that is in its grace counts as used.
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  async inspect(token: string): Promise<LiveRefreshToken | undefined> {
    // What a caller's transaction has ended counts from its commit on (C5).
    await this.log.settlePending();
    const session = await this.refreshes.find(token);
    if (session === undefined || session.endedAt !== null) return undefined;
    const issuerKey = this.keys.hex('issuer', this.options.issuer, '');
    const row = await this.store.write((of) =>
      findLive(of, session, issuerKey, refreshTokenDigest(token)),
    );
    return row === undefined ? undefined : { session, expiresAt: row.expiresAt };
  }
}

function* findLive(
  of: SessionTransactions,
  session: SessionRow,
  issuerKey: string,
  digest: string,
): Transaction<RefreshRow | undefined> {
  const { rows } = yield of.statements.findRefresh([digest]);
  const { account, issuer, now } = yield* of.readAccounts(session.subjectKey, issuerKey);
  if (rows[0] === undefined || endOf(session, account, issuer) !== undefined) return undefined;
  if (refusalOf(account, now) !== undefined) return undefined;
  const row = refreshOf(rows[0]);
  return now >= row.expiresAt || row.replacedAt !== null ? undefined : row;
}
