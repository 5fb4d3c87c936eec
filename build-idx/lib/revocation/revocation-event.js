/**
 * The stable reasons that the holder of a rightly signed token may be told.
 *
 * They are a closed set, so that an application can say the right sentence and a free text can
 * never leak to a client.
 */
export const REVOCATION_REASONS = [
  'unspecified',
  'logout',
  'logged_out_elsewhere',
  'newer_login',
  'password_changed',
  'claims_changed',
  'refresh_reused',
  'account_locked',
  'account_disabled',
  'account_removed',
  'key_compromised',
  'everyone',
  'administrator',
];
