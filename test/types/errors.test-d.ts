import { HttpException } from '@nestjs/common';
import {
  type AuthErrorCode,
  AuthException,
  AuthUnauthorizedException,
  AuthUnavailableException,
  AuthWiringError,
  InvalidAuthOptionsError,
  type OptionProblem,
} from 'nestjs-logout';
import { type Equals, expectTrue } from './equals.js';

// What a guard throws is an HttpException with a code; what stops the boot is not.
expectTrue<AuthException extends HttpException ? true : false>();
expectTrue<AuthUnauthorizedException extends AuthException ? true : false>();
expectTrue<AuthUnavailableException extends AuthException ? true : false>();
expectTrue<InvalidAuthOptionsError extends AuthWiringError ? true : false>();
expectTrue<AuthWiringError extends HttpException ? false : true>();
expectTrue<Equals<AuthException['code'], AuthErrorCode>>();
expectTrue<Equals<InvalidAuthOptionsError['problems'], readonly OptionProblem[]>>();

/** The README's table; a code is never renamed within a major version. */
type Promised =
  | 'token_missing'
  | 'token_malformed'
  | 'token_invalid'
  | 'token_expired'
  | 'token_revoked'
  | 'session_ended'
  | 'account_locked'
  | 'account_disabled'
  | 'key_revoked'
  | 'binding_mismatch'
  | 'dpop_proof_invalid'
  | 'dpop_nonce_required'
  | 'dpop_proof_required'
  | 'csrf_refused'
  | 'invalid_request'
  | 'idempotency_key_invalid'
  | 'invalid_subject'
  | 'too_many_attempts'
  | 'nothing_to_revoke'
  | 'no_signing_key'
  | 'revocation_state_unknown'
  | 'storage_unavailable';
expectTrue<Promised extends AuthErrorCode ? true : false>();

// A 503 has its own codes, so that none is mistaken for the end of a session.
export const exceptions = [
  new AuthUnavailableException('storage_unavailable', 'Try again.', { retryAfter: 1 }),
  // @ts-expect-error a session that has ended is a 401
  new AuthUnavailableException('session_ended', 'Log in.'),
  // @ts-expect-error a code that does not exist
  new AuthException(401, 'token_stolen', 'Log in.'),
];

declare const error: AuthException;
// @ts-expect-error no such code to compare with
export const isNever = error.code === 'token_gone';
