import { REVOCATION_REASONS, type RevocationReason } from './revocation-event.entity.js';
import { Bytes, Choice, Digest, Long, Position, Table, Text } from './table.js';

/**
 * One opaque token: an API token, or an access token of a session. Only its digest is stored, so a copy of
 * the database contains no token that works. All times are epoch ms of the database.
 */
@Table('auth_api_token', ['SELECT', 'INSERT', 'UPDATE', 'DELETE'])
export class ApiToken {
  /** SHA-256 of the token. */
  @Digest({ name: 'token_digest', key: true }) readonly digest!: string;
  /** A digest of the issuer and `id`: the key of the event that revokes this one token. */
  @Bytes() readonly tokenKey!: string;
  /** The `jti` of its claims. It is not a secret, and lists show it. */
  @Text({ name: 'token_id' }) readonly id!: string;
  /** The key of its {@link AuthAccount}. */
  @Bytes() readonly subjectKey!: string;
  @Text() readonly subject!: string;
  /** The log's position before it was issued (G1). */
  @Position() readonly gen!: number;
  /** The session whose access token it is; `null` for an API token. */
  @Text({ nullable: true }) readonly sid!: string | null;
  /** The name from its owner; for the access token of a session, the `kid` that binds it to a client. */
  @Text({ name: 'token_name' }) readonly name!: string;
  /** The scopes, separated by blanks (RFC 6749 section 3.3); `null` for none. */
  @Long({ nullable: true }) readonly scope!: string | null;
  /** Further claims as JSON; `null` for none. */
  @Long({ nullable: true }) readonly claims!: string | null;
  @Position() readonly createdAt!: number;
  /** When it was last used, with a precision of one hour, so that not every request writes. */
  @Position({ nullable: true }) readonly lastUsedAt!: number | null;
  @Position() readonly expiresAt!: number;
  /**
   * When it was revoked. Normally the log decides about a token. This column is for lists, and still refuses
   * the token after its event was purged.
   */
  @Position({ nullable: true }) readonly endedAt!: number | null;
  @Choice(REVOCATION_REASONS, { nullable: true }) readonly endReason!: RevocationReason | null;
}
