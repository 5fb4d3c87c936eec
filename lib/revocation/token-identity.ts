import { hash } from 'node:crypto';
import { type AuthUnauthorizedException, refusal } from '../errors/auth.exception.js';
import { LARGEST_TOLERANCE } from '../options/auth-option-table.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { TokenIdentity, VerifiedClaims } from '../options/token-claims.js';
import { isIdentifier } from '../platform/identifier.js';

/** The prefix of ids that this library makes. No identity provider issues a `jti` with it. */
const NAMESPACE = 'nestjs-logout:claims:';

/**
 * The claims with the ids under which the log knows the token. For a foreign issuer, `jti` and
 * `sid` are read from the claims that the option `foreign` configures.
 *
 * A token with neither gets a digest of its claims as they were signed for its `jti`. That needs
 * the encoded token: an application may change the decoded claims, differently on each request. The
 * digest is of the claims and not of the text, because one token can be spelled in several ways
 * that all verify.
 *
 * The result may be passed to it again.
 *
 * @throws AuthUnauthorizedException `token_invalid` if the text is not the token of these claims.
 */
export function identityOf<T extends VerifiedClaims>(
  claims: T,
  text: string | undefined,
  { foreign }: Pick<ResolvedAuthOptions, 'foreign'>,
): T {
  const names = foreign.find(({ issuer }) => issuer === claims.iss)?.claims;
  const jti = names === undefined ? claims.jti : valueOf(claims, names.jti);
  const sid = names === undefined ? claims.sid : valueOf(claims, names.sid);
  if (jti === claims.jti && sid === claims.sid && (jti ?? sid) !== undefined) return claims;
  if ((jti ?? sid) !== undefined) return { ...claims, jti, sid };
  if (claims.jti?.startsWith?.(NAMESPACE) === true) return { ...claims, sid: undefined };
  return {
    ...claims,
    jti: text === undefined ? undefined : digestOf(text, claims),
    sid: undefined,
  };
}

function valueOf(claims: object, name: string): string | undefined {
  return Object.hasOwn(claims, name) ? (Reflect.get(claims, name) as string) : undefined;
}

/** Claims that must be equal in the text and in the verified claims, or missing in both. */
const COMPARED = ['iss', 'sub', 'iat', 'exp'] as const;

function digestOf(text: string, claims: VerifiedClaims): string {
  try {
    const [, segment = '', signature] = text.split('.');
    const bytes = Buffer.from(segment, 'base64url');
    const signed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    const canonical = canonicalJson(signed);
    if (signature !== undefined && isOf(claims, signed as VerifiedClaims)) {
      return NAMESPACE + hash('sha256', canonical, 'hex');
    }
  } catch (cause) {
    throw notOfTheseClaims(cause);
  }
  throw notOfTheseClaims();
}

/**
 * Whether a text can be the token that was verified. An application may have added claims or left
 * some out, but what both have must be equal. Otherwise a caller could pass the text of another
 * token, which was not revoked.
 */
function isOf(claims: VerifiedClaims, signed: VerifiedClaims): boolean {
  const shared = Object.entries(signed).filter(
    ([name]) => Object.hasOwn(claims, name) && Reflect.get(claims, name) !== undefined,
  );
  return (
    COMPARED.every((name) => claims[name] === signed[name]) &&
    shared.every(
      ([name, value]) => canonicalJson(Reflect.get(claims, name)) === canonicalJson(value),
    )
  );
}

/**
 * Serialises a parsed JSON value in the canonical form of RFC 8785 (JCS): no whitespace, members
 * sorted by UTF-16 code units, numbers and strings as ECMAScript writes them.
 *
 * @throws RangeError for what the RFC does not allow: a number that is not finite, or a lone
 * surrogate.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new RangeError('A number of the JSON text is out of range.');
  }
  if (typeof value === 'string' && !value.isWellFormed()) {
    throw new RangeError('A string of the JSON text has a lone surrogate.');
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.keys(value)
    .toSorted()
    .map((name) => `${canonicalJson(name)}:${canonicalJson(Reflect.get(value, name))}`);
  return `{${members.join(',')}}`;
}

function notOfTheseClaims(cause?: unknown): AuthUnauthorizedException {
  return refusal('token_invalid', {
    message:
      'The token is not valid: its text does not hold the claims that were verified. Pass the text of the ' +
      'same token, and claims as they were signed; others may be added.',
    cause,
  });
}

/**
 * Reads the `kid` from the header of a **verified** token (RFC 7515 section 4.1.4).
 * `assertActive()` and `decide()` need it to refuse the tokens of a revoked key. `undefined` if the
 * header has none or cannot be read.
 *
 * Use it only if your strategy chooses the key by this `kid` (a `secretOrKeyProvider`, a JWKS). A
 * strategy with one key ignores the header, so an attacker with the leaked key can write any `kid`
 * into it. In that case pass the id of the key yourself: a fixed `kid`, or `secretKid(secret)`.
 *
 * @example
 * ```ts
 * async validate(request: Request, payload: TokenClaims) { // passReqToCallback: true
 *   const token = ExtractJwt.fromAuthHeaderAsBearerToken()(request);
 *   await this.revocation.assertActive(payload, { kid: kidOf(token) });
 *   return payload;
 * }
 * ```
 * @publicApi
 */
export function kidOf(token: string | null | undefined): string | undefined {
  if (typeof token !== 'string') return undefined;
  try {
    const text = Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString();
    const header = JSON.parse(text) as { kid?: unknown } | null;
    // An empty `kid` identifies no key, so it must not hide which key signed the token.
    return typeof header?.kid === 'string' && header.kid !== '' ? header.kid : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Checks that the log can decide about a token: its issuer is ours or registered, it has an id by
 * which it can be revoked, and it expires before its revocation would be deleted.
 *
 * @param now - The time by which tokens expire (epoch ms).
 * @param latest - The same for times that must not be in the future; Infinity before the first
 * proof.
 * @throws AuthUnauthorizedException `token_invalid`, because a token that cannot be revoked must
 * not be accepted, or `token_expired` a minute after `exp`.
 */
export function assertDecidable(
  claims: VerifiedClaims,
  options: ResolvedAuthOptions,
  now: number,
  latest: number,
): asserts claims is TokenIdentity {
  const { iss, sub, jti, sid, iat, exp } = claims;
  const longest =
    iss === options.issuer
      ? options.maxTokenLife
      : options.foreign.find(({ issuer }) => issuer === iss)?.maxTokenLife;
  if (longest === undefined) throw invalid('it is of an issuer that is not registered');
  if (!isIdentifier(sub) && !isIdentifier(jti) && !isIdentifier(sid)) {
    throw invalid('it has neither sub, jti nor sid');
  }
  if (jti === undefined && sid === undefined) {
    throw invalid(
      'it has neither jti nor sid, and its text was not passed: assertActive(claims, { token })',
    );
  }
  for (const id of [sub, jti, sid]) {
    if (id !== undefined && !isIdentifier(id)) throw invalid('an id of it is malformed');
  }
  if (!isTime(iat) || !isTime(exp)) throw invalid('it has no iat or no exp');
  const end = exp * 1000;
  // Events are kept for the largest legal clock tolerance only. Beyond it the revocation of this
  // token may have been deleted already.
  if (now >= end + LARGEST_TOLERANCE) {
    throw refusal('token_expired');
  }
  if (
    end - iat * 1000 > longest ||
    end > latest + longest + options.clockTolerance + LARGEST_TOLERANCE
  ) {
    throw invalid('its lifetime is longer than the maxTokenLife of its issuer');
  }
}

/**
 * Checks `exp` and `nbf` as `JwtAuthGuard` does, for `assertActive(claims, { checkTimes: true })`.
 *
 * @throws AuthUnauthorizedException `token_expired`, or `token_invalid` before `nbf`.
 */
export function assertInTime(
  claims: VerifiedClaims & { readonly nbf?: unknown },
  { clockTolerance }: ResolvedAuthOptions,
  now: number,
  latest: number,
): void {
  const { exp, nbf } = claims;
  if (exp === undefined || now >= exp * 1000 + clockTolerance) {
    throw refusal('token_expired');
  }
  if (nbf === undefined) return;
  if (typeof nbf !== 'number' || !(nbf * 1000 <= latest + clockTolerance)) {
    throw invalid('it is not valid yet');
  }
}

function isTime(value: number | undefined): value is number {
  return Number.isFinite(value);
}

function invalid(why: string): AuthUnauthorizedException {
  return refusal('token_invalid', { message: `The token is not valid: ${why}.` });
}
