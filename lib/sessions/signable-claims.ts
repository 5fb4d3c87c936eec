import { inexactIn } from '../authentication/strict-json.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { isSecretive } from './secretive-name.js';

/** What the library itself says in a token; an application cannot say it differently. */
const REGISTERED = new Set(['iss', 'aud', 'sub', 'sid', 'jti', 'gen', 'iat', 'exp', 'nbf', 'cnf']);

/**
 * Checks the claims that an application wants signed.
 *
 * @throws AuthWiringError for a registered name, for a name that looks like a secret and was not
 * allowed by `allowedClaims`, and for a value that JSON cannot hold exactly.
 */
export function assertSignable(
  claims: Readonly<Record<string, unknown>>,
  allowed: readonly string[],
): void {
  for (const name of Object.keys(claims)) {
    if (REGISTERED.has(name) || name === '__proto__') {
      throw new AuthWiringError(
        `The claim "${name}" is set by nestjs-logout and cannot be given.`,
        'Give it another name.',
      );
    }
    if (isSecretive(name) && !allowed.includes(name)) {
      throw new AuthWiringError(
        `The claim "${name}" looks like a secret. A token's payload is signed, not encrypted: ` +
          'everybody who holds the token can read it.',
        'Leave it out.',
        `If it is no secret: AuthModule.forRoot({ allowedClaims: ['${name}'], … }).`,
      );
    }
  }
  const inexact = inexactIn(claims);
  if (inexact === undefined) return;
  throw new AuthWiringError(
    `The claims hold ${inexact} that a token cannot carry: it would be refused when it comes back.`,
    'Give well-formed texts (text.toWellFormed()) and finite numbers.',
  );
}
