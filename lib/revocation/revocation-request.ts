import type { RevocationReason } from '../database/revocation-event.js';
import type { AccountChange } from '../database/log-rows.js';

interface Common {
  /** Why; the holder of the token is told. Default `unspecified`, of which nobody is told. */
  readonly reason?: RevocationReason | undefined;
  /** Who did it, for the audit: at most 255 characters, never told to a client. */
  readonly actor?: string | undefined;
}

/** What is to be ended: the input of {@link RevocationLog.append}. */
export type RevocationRequest =
  | (Common & {
      readonly kind: 'token';
      readonly issuer: string;
      readonly jti: string;
      /** The token's `exp` in seconds. */
      readonly expiresAt?: number | undefined;
    })
  | (Common & { readonly kind: 'session'; readonly issuer: string; readonly sid: string })
  | (Common & {
      readonly kind: 'subject';
      readonly issuer: string;
      readonly subject: string;
      /** The one session that is spared. */
      readonly exceptSession?: string | undefined;
      /** Ends access tokens but no session. */
      readonly accessOnly?: boolean | undefined;
      /** Whether the account may log in again; not in a caller's transaction. */
      readonly account?: AccountChange | undefined;
    })
  | (Common & { readonly kind: 'key'; readonly issuer: string; readonly kid: string })
  | (Common & { readonly kind: 'issuer'; readonly issuer: string });
