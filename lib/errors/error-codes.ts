/** What one code means. The page of error codes in docs is generated from this table. */
interface ErrorCode {
  readonly status: 400 | 401 | 403 | 404 | 409 | 429 | 503;
  /** The sentence of the answer, where the call that refuses has none that is more precise. */
  readonly message: string;
  /** When the code is sent, and what the client does then. */
  readonly when: string;
}

/** Every refusal of the library: status and sentence by its code. */
export const ERROR_CODES = {
  token_missing: {
    status: 401,
    message: 'The request carries no access token.',
    when: 'A guarded route was called without an access token. Log in.',
  },
  token_malformed: {
    status: 401,
    message: 'The token is malformed.',
    when: 'The text in the place of the token is no JWT, and no opaque token of this application. Log in.',
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
    when: 'The session of the access token or of the refresh token was logged out; `reason` names the cause. Log in.',
  },
  account_locked: {
    status: 401,
    message: 'The account is locked.',
    when: '`AccountService.lock()` is in force. Log in after the lock.',
  },
  account_disabled: {
    status: 401,
    message: 'The account is disabled.',
    when: '`AccountService.disable()` or `remove()` is in force, or `claims` returned `null`. The user cannot log in.',
  },
  key_revoked: {
    status: 401,
    message: 'The key that signed the token has been revoked.',
    when: 'The signing key leaked and `revokeKey()` was called. Refresh, else log in.',
  },
  binding_mismatch: {
    status: 401,
    message: 'The token is bound to another client.',
    when: 'The request comes from another address or network than the login, or without the key that the token is bound to. Log in.',
  },
  dpop_proof_invalid: {
    status: 401,
    message: 'The DPoP proof is not valid for this request.',
    when: 'The header `DPoP` is missing, or its proof is of another request, too old, used before or malformed. Send the request again with a new proof.',
  },
  dpop_nonce_required: {
    status: 401,
    message: 'The DPoP proof needs the nonce of the header DPoP-Nonce.',
    when: 'The option `binding.nonce` is on. Send the request again with a proof that contains the nonce of `DPoP-Nonce`.',
  },
  login_too_old: {
    status: 401,
    message: 'The login is too long ago for this request. Confirm it, or log in again.',
    when: 'The route has `@RecentLogin()`, and the user authenticated longer ago than the `max_age` seconds of the answer. The token is still good elsewhere. Ask for the password and send it to `POST confirm`.',
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
    when: 'The refresh token was used before, so it may be stolen and the session was ended. Log in.',
  },
  credentials_invalid: {
    status: 401,
    message: 'The user name or the password is wrong.',
    when: 'A login with a wrong user name or password. Ask the user again.',
  },
  invalid_request: {
    status: 400,
    message: 'The request is not valid.',
    when: 'A parameter is wrong, the request has two access tokens, or a token is in the address. The challenge is sent only where the token is sent in a wrong way. Fix the client.',
  },
  idempotency_key_invalid: {
    status: 400,
    message:
      'The idempotency key is not a text of 22 to 255 visible ASCII characters. ' +
      'Make a random one, such as a UUID, and store it before the request is sent.',
    when: '`Idempotency-Key` of a refresh is too short, or differs from the one in the body. Fix the client.',
  },
  dpop_proof_required: {
    status: 400,
    message: 'A DPoP proof is required. Send one in the header DPoP.',
    when: 'A login or a refresh without a proof, where `binding.dpop` is `required`. Fix the client.',
  },
  invalid_subject: {
    status: 400,
    message:
      'A subject is 1 to 255 well-formed characters without NUL, a safe integer or a bigint.',
    when: 'The text given as a subject cannot be one. Fix the caller.',
  },
  credentials_missing: {
    status: 400,
    message: 'Send username and password, both as text, in a JSON object.',
    when: 'A login without user name or password. Fix the client.',
  },
  nothing_to_revoke: {
    status: 400,
    message: 'Nothing was revoked.',
    when: 'A logout of claims that have neither `jti` nor `sid`. Fix the caller.',
  },
  forbidden: {
    status: 403,
    message: 'You may not introspect tokens.',
    when: '`mayIntrospect` does not allow the caller to introspect tokens.',
  },
  csrf_refused: {
    status: 403,
    message: 'A page of another origin sent this request.',
    when: 'Another site’s page sent a request with the cookies. If the page is yours, add its origin to `cookies.origins`.',
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
    when: 'Every key that could sign is revoked or retired. Add a key.',
  },
  revocation_state_unknown: {
    status: 503,
    message: 'It cannot be told at the moment whether the token is still good.',
    when: 'The instance cannot prove that its revocations are fresh. Try again after `Retry-After`.',
  },
  storage_unavailable: {
    status: 503,
    message: 'The database did not answer. Try again.',
    when: 'The database refused or did not answer. Nothing is known to have happened. Try again after `Retry-After`.',
  },
} as const satisfies Record<string, ErrorCode>;

/**
 * The stable codes that a client can act on. Each answer that refuses has one in its body.
 *
 * A code is never renamed within a major version.
 */
export type AuthErrorCode = keyof typeof ERROR_CODES;
