import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { type AuthException, refusal } from '../errors/auth.exception.js';
import type { ApiToken } from '../database/entities/auth-api-token.entity.js';
import { LONGEST_API_TOKEN } from '../options/api-token-options.js';
import { type Duration, parseDuration } from '../options/duration.js';
import { isActor } from '../platform/identifier.js';
import type { LogPosition } from '../revocation/log/log-positions.service.js';
import { assertSignable } from '../sessions/access-token.signer.js';

/** Options of `ApiTokenService.issue()`. @publicApi */
export interface IssueApiToken {
  /** A label for the owner, 1 to 255 characters. Lists show it. */
  readonly name: string;
  /**
   * The permissions of the token: the claim `scope`, separated by spaces (RFC 6749 section 3.3, RFC 9068 section
   * 2.2.3). The application decides what a scope means.
   *
   * @default [] (no claim `scope`)
   */
  readonly scopes?: readonly string[] | undefined;
  /** The lifetime of the token: seconds or `'30d'`, from 1 s to 366 days. @default '90d' */
  readonly expiresIn?: Duration | undefined;
  /**
   * Additional claims, as in a login. They do not change until the token expires, so do not include permissions
   * that the account may lose.
   *
   * @default {}
   */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  /**
   * `await sessions.position()`, read before the account was authenticated. A revocation of the account since
   * then also revokes this token. The position is valid for one hour.
   *
   * @default the position when `issue()` is called
   */
  readonly since?: LogPosition | undefined;
  /** Who issued the token, for the audit log. It is not stored. */
  readonly actor?: string | undefined;
  /** The id of the request that issued the token, for the audit log. */
  readonly requestId?: string | undefined;
}

/** The default of `expiresIn`. */
const DEFAULT_LIFE = '90d';
/** The shortest lifetime (ms). */
const SHORTEST = 1_000;
/** The maximum length of scopes and of claims in characters, below the size of their columns. */
const LONGEST_TEXT = 8_000;
/** The characters of a scope (RFC 6749 section 3.3). */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/**
 * Checks the options of a new token.
 *
 * @throws AuthException 400 `invalid_request` for invalid user input.
 * @throws AuthWiringError for invalid claims, because only the application sets claims.
 */
export function readIssue(
  { name, scopes = [], expiresIn = DEFAULT_LIFE, claims = {} }: IssueApiToken,
  allowedClaims: readonly string[],
): Pick<ApiToken, 'name' | 'scope' | 'claims'> & { readonly life: number } {
  if (!isActor(name)) throw invalid('its name is not 1 to 255 characters of plain text');
  if (!Array.isArray(scopes) || !scopes.every((each) => SCOPE.test(String(each)))) {
    throw invalid('a scope is visible ASCII without blanks, quotes and backslashes');
  }
  // A scope only adds to the others (RFC 6749 section 3.3), so a repeated one is dropped.
  const scope = [...new Set(scopes)].join(' ');
  if (scope.length > LONGEST_TEXT) throw invalid('its scopes are too long');
  const life = parseDuration(expiresIn);
  if (typeof life !== 'number' || life < SHORTEST || life > LONGEST_API_TOKEN) {
    throw invalid('it lives from 1 s to 366 days, in seconds or as "30d"');
  }
  return {
    name,
    scope: scope === '' ? null : scope,
    claims: claimsText(claims, allowedClaims),
    // `exp` has whole seconds.
    life: Math.floor(life / 1_000) * 1_000,
  };
}

/** The claims as JSON text, or `null` if there are none. */
function claimsText(
  claims: Readonly<Record<string, unknown>>,
  allowedClaims: readonly string[],
): string | null {
  assertSignable(claims, allowedClaims);
  if (Object.hasOwn(claims, 'scope')) {
    throw new AuthWiringError(
      'The claim "scope" of an API token is made of its scopes.',
      "Give issue(subject, { scopes: ['files:read'] }) instead.",
    );
  }
  const text = JSON.stringify(claims);
  if (text === '{}') return null;
  if (text.length <= LONGEST_TEXT) return text;
  throw new AuthWiringError(
    `The claims of an API token take ${text.length} characters, and at most ${LONGEST_TEXT} are allowed.`,
    'Put fewer claims into the token, and look up the rest in the handler.',
  );
}

function invalid(why: string): AuthException {
  return refusal('invalid_request', { message: `No API token was issued: ${why}.` });
}
