/** What a code or reason of the server means to the person at the screen. */
const SENTENCES = {
  credentials_invalid: 'The user name or the password is wrong.',
  credentials_missing: 'Enter a user name and a password.',
  account_locked: 'This account is locked for now. Try again later.',
  account_disabled: 'This account is disabled.',
  account_removed: 'This account does not exist any more.',
  logout: 'You are logged out.',
  logged_out_elsewhere: 'You were logged out from another device.',
  newer_login: 'You were logged out, because you logged in on another device.',
  password_changed: 'The password was changed. Log in with the new one.',
  refresh_reused: 'For safety you were logged out: someone may have copied your login.',
  refresh_token_reused: 'For safety you were logged out: someone may have copied your login.',
  key_compromised: 'For safety all users were logged out. Please log in again.',
  refresh_token_expired: 'You were away for a long time. Please log in again.',
  no_signing_key: 'No one can log in at the moment.',
  unreachable: 'The server cannot be reached. Try again.',
};

/** @param {{ status: number, code?: string, reason?: string }} answer */
export function sentenceFor({ status, code, reason }) {
  const known = SENTENCES[reason] ?? SENTENCES[code];
  if (known !== undefined) return known;
  if (status === 401) return 'Your login has ended. Please log in again.';
  if (status === 404) return 'It is gone already.';
  if (status >= 500) return 'The server cannot do that at the moment. Try again.';
  return 'That did not work.';
}
