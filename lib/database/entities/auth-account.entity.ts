import { REVOCATION_REASONS, type RevocationReason } from './revocation-event.entity.js';
import { Bytes, Choice, Position, Table } from './table.js';

/**
 * What is stored of an account, or of an issuer as a whole: which of its sessions are revoked, and
 * whether it may log in. A row can also be the cut-off of one client of an account, or of a grant. Read-only; use `AccountService` and `LogoutService` to change it.
 *
 * An account without a row was never revoked, locked or disabled. Join it with your users through
 * {@link AuthSession}: `subjectKey` is a digest of the issuer and the subject.
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
  /** Sessions whose `gen` is below are revoked. */
  @Position() readonly killsBelow!: number;
  @Choice(REVOCATION_REASONS) readonly reason!: RevocationReason;
  /** The key of the one session that is judged by `sparedBelow` instead. */
  @Bytes({ nullable: true }) readonly exceptKey!: string | null;
  @Position() readonly sparedBelow!: number;
  @Choice(REVOCATION_REASONS) readonly sparedReason!: RevocationReason;
  /** When its sessions were last revoked (epoch ms); 0 = never. The purge deletes old rows by it. */
  @Position() readonly markedAt!: number;
  /** Until when it may not log in (epoch ms, the database's time). */
  @Position({ nullable: true }) readonly lockedUntil!: number | null;
  /** Since when it may not log in (epoch ms). */
  @Position({ nullable: true }) readonly disabledAt!: number | null;
}
