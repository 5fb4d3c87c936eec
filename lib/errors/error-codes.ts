/** One error code. The page of error codes in docs is generated from the table. */
interface ErrorCode {
  readonly status: 400 | 401 | 403 | 404 | 409 | 429 | 503;
  /** The message of the response, unless the caller has a more precise one. */
  readonly message: string;
  /** When the code is sent, and what the client should do. */
  readonly when: string;
}

/** The status and the message of every refusal, by code. */
export const ERROR_CODES = {
  token_missing: {
    status: 401,
    message: 'The request has no access token.',
    when: 'A guarded route was called without an access token. Log in.',
  },
  token_malformed: {
    status: 401,
    message: 'The token is malformed.',
    when: 'The string that was sent as a token is neither a JWT nor an opaque token of this application. Log in.',
  },
  token_invalid: {
    status: 401,
    message: 'The token is not valid.',
    when: 'The signature, the key, the issuer, the audience, the type or a claim of the token is wrong, or an opaque token is unknown. Log in.',
  },
  token_expired: {
    status: 401,
    message: 'The token has expired.',
    when: 'The access token is past its `exp`. Refresh it.',
  },
  token_revoked: {
    status: 401,
    message: 'The token has been revoked.',
    when: 'The token was logged out, or all tokens of its issuer were. Log in.',
  },
  session_ended: {
    status: 401,
    message: 'The session has ended.',
    when: 'The session of the access token or of the refresh token was logged out. `reason` has the cause. Log in.',
  },
  account_locked: {
    status: 401,
    message: 'The account is locked.',
    when: 'The account was locked with `AccountService.lock()`. Log in after the lock has ended.',
  },
  account_disabled: {
    status: 401,
    message: 'The account is disabled.',
    when: 'The account was disabled or removed with `AccountService`, or `claims` returned `null`. The user cannot log in.',
  },
  key_revoked: {
    status: 401,
    message: 'The key that signed the token has been revoked.',
    when: 'The signing key was revoked with `revokeKey()`. Refresh the token. If that fails, log in.',
  },
  binding_mismatch: {
    status: 401,
    message: 'The token is bound to another client.',
    when: 'The request comes from another address or network than the login, or the client does not have the key to which the token is bound. Log in.',
  },
  dpop_proof_invalid: {
    status: 401,
    message: 'The DPoP proof is not valid for this request.',
    when: 'The header `DPoP` is missing, or its proof belongs to another request, is too old, was used before or is malformed. Send the request again with a new proof.',
  },
  dpop_nonce_required: {
    status: 401,
    message: 'The DPoP proof needs the nonce from the header DPoP-Nonce.',
    when: 'The option `binding.nonce` is on. Send the request again with a proof that contains the nonce of `DPoP-Nonce`.',
  },
  login_too_old: {
    status: 401,
    message: 'The login is too long ago for this request. Confirm it, or log in again.',
    when: 'The route has `@RecentLogin()`, and the user authenticated more than `max_age` seconds ago. Other routes still accept the token. Ask for the password and send it to `POST confirm`.',
  },
  refresh_token_invalid: {
    status: 401,
    message: 'The refresh token is not valid.',
    when: 'The refresh token is unknown or belongs to another application. Log in.',
  },
  refresh_token_expired: {
    status: 401,
    message: 'The refresh token has expired. Log in again.',
    when: 'The refresh token or its session is past its lifetime. Log in.',
  },
  refresh_token_reused: {
    status: 401,
    message: 'The refresh token was used before; the session has ended. Log in again.',
    when: 'The refresh token was used before. It may be stolen, so the session was ended. Log in.',
  },
  credentials_invalid: {
    status: 401,
    message: 'The user name or the password is wrong.',
    when: 'A login has a wrong user name or password. Ask the user again.',
  },
  invalid_request: {
    status: 400,
    message: 'The request is not valid.',
    when: 'A parameter is wrong, the request has two access tokens, or a token is in the URL. Only the last two send `WWW-Authenticate`. Fix the client.',
  },
  idempotency_key_invalid: {
    status: 400,
    message:
      'The idempotency key is not a string of 22 to 255 visible ASCII characters. ' +
      'Make a random one, such as a UUID, and store it before you send the request.',
    when: 'The `Idempotency-Key` of a refresh is too short, or differs from the one in the body. Fix the client.',
  },
  dpop_proof_required: {
    status: 400,
    message: 'A DPoP proof is required. Send one in the header DPoP.',
    when: 'A login or a refresh has no proof, and `binding.dpop` is `required`. Fix the client.',
  },
  invalid_subject: {
    status: 400,
    message:
      'A subject is 1 to 255 well-formed characters without NUL, a safe integer or a bigint.',
    when: 'A string that cannot be a subject was passed as one. Fix the caller.',
  },
  credentials_missing: {
    status: 400,
    message: 'Send username and password, both as strings, in a JSON object.',
    when: 'A login has no user name or no password. Fix the client.',
  },
  nothing_to_revoke: {
    status: 400,
    message: 'Nothing was revoked.',
    when: 'A logout was called with claims that have neither `jti` nor `sid`. Fix the caller.',
  },
  forbidden: {
    status: 403,
    message: 'You may not introspect tokens.',
    when: '`mayIntrospect` does not allow the caller to introspect tokens.',
  },
  csrf_refused: {
    status: 403,
    message: 'A page of another origin sent this request.',
    when: 'A page of another site sent a request with the cookies. If the page is yours, add its origin to `cookies.origins`.',
  },
  not_found: {
    status: 404,
    message: 'There is no such session.',
    when: 'The session or API token does not exist, has ended, or belongs to another account.',
  },
  too_many_api_tokens: {
    status: 409,
    message: 'The account has as many API tokens as it may have. Revoke one first.',
    when: '`ApiTokenService.issue()` for an account with as many good API tokens as `apiTokens.limit` allows. Nothing was issued. Revoke one that is no longer needed.',
  },
  too_many_attempts: {
    status: 429,
    message: 'Too many attempts. Try later.',
    when: 'Too many wrong passwords, refreshes or calls of `logout-others`. Nothing was consumed. Try again after `Retry-After`.',
  },
  no_signing_key: {
    status: 503,
    message: 'There is no key that can sign a token.',
    when: 'Every key that could sign was revoked or removed. Add a key.',
  },
  revocation_state_unknown: {
    status: 503,
    message: 'The server cannot check at the moment whether the token was revoked.',
    when: 'The instance cannot prove that it knows every logout, for example because the database is down. Try again after `Retry-After`.',
  },
  storage_unavailable: {
    status: 503,
    message: 'The database did not answer. Try again.',
    when: 'The database refused the request or did not answer. The login, refresh or logout may or may not have happened. Try again after `Retry-After`.',
  },
} as const satisfies Record<string, ErrorCode>;

/**
 * The code in the body of every refusal, for clients to act on. Codes are never renamed within a major
 * version. New codes may be added, so treat an unknown one by its status.
 *
 * @see docs/error-codes.md
 *
 * @publicApi
 */
export type AuthErrorCode = keyof typeof ERROR_CODES;
