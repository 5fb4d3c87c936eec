import { AuthUnauthorizedException } from '../errors/auth.exception.js';
import { ERROR_CODES } from '../errors/error-codes.js';

/** The algorithms of proofs: all are asymmetric (RFC 9449 section 11.6). */
export const PROOF_ALGORITHMS = ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256'];

/** The codes of refusals that concern proofs, with the error of RFC 9449 section 7.1 for each. */
const ERRORS = {
  binding_mismatch: 'invalid_token',
  dpop_proof_invalid: 'invalid_dpop_proof',
  dpop_nonce_required: 'use_dpop_nonce',
} as const;

/**
 * A 401 with the challenge of DPoP.
 *
 * @param cause - What is wrong, for the log of the application; the client gets the sentence of the code.
 * @param nonce - The one to use next.
 */
export function dpopRefusal(
  code: keyof typeof ERRORS,
  cause: unknown,
  nonce?: string,
): AuthUnauthorizedException {
  const { message } = ERROR_CODES[code];
  const algs = PROOF_ALGORITHMS.join(' ');
  return new AuthUnauthorizedException(code, message, {
    cause,
    headers: {
      'WWW-Authenticate': `DPoP error="${ERRORS[code]}", error_description="${message}", algs="${algs}"`,
      ...(nonce === undefined ? {} : { 'DPoP-Nonce': nonce }),
    },
  });
}
