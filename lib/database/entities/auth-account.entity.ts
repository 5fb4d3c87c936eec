import { REVOCATION_REASONS, type RevocationReason } from './revocation-event.entity.js';
import { Bytes, Choice, Position, Table } from './table.js';

/**
 * The watermark and the state of an account: which of its sessions are revoked, and whether it may log in.
 * A row can also be the watermark of a whole issuer, of one client of an account, or of a grant. Read-only;
 * use `AccountService` and `LogoutService` to change it.
 *
 * An account without a row was never revoked, locked or disabled. To join it with your users, go through
 * {@link AuthSession}: its `subjectKey` is the `key` of this row.
 *
 * @example
 * ```ts
 * import { AuthAccount } from 'nestjs-logout';
 * import { type DataSource, IsNull, Not } from 'typeorm';
 *
 * export function disabledAccounts(dataSource: DataSource): Promise<AuthAccount[]> {
 *   return dataSource.getRepository(AuthAccount).findBy({ disabledAt: Not(IsNull()) });
 * }
 * ```
 * @publicApi
 */
@Table('auth_subject', ['SELECT', 'INSERT', 'UPDATE', 'DELETE'])
export class AuthAccount {
  /** A digest of the issuer and the subject, 32 lower-case hexadecimal digits. */
  @Bytes({ name: 'subject_key', key: true }) readonly key!: string;
  /** The watermark: sessions with a `gen` below this position are revoked. */
  @Position() readonly killsBelow!: number;
  /** Why these sessions were revoked. */
  @Choice(REVOCATION_REASONS) readonly reason!: RevocationReason;
  /** The key of the one session that the watermark spares. `sparedBelow` applies to it instead. */
  @Bytes({ nullable: true }) readonly exceptKey!: string | null;
  /** The watermark of the spared session: the highest of the events that do not spare it. */
  @Position() readonly sparedBelow!: number;
  /** Why the spared session is revoked, if it is. */
  @Choice(REVOCATION_REASONS) readonly sparedReason!: RevocationReason;
  /** When its sessions were last revoked (epoch ms); 0 = never. The purge deletes rows that are old by it. */
  @Position() readonly markedAt!: number;
  /** Until when the account is locked (epoch ms, the database's time); `null`: it is not. */
  @Position({ nullable: true }) readonly lockedUntil!: number | null;
  /** When the account was disabled (epoch ms, the database's time); `null`: it is not. */
  @Position({ nullable: true }) readonly disabledAt!: number | null;
}
