import { hash } from 'node:crypto';
import { type AuthUnauthorizedException, refusal } from '../errors/auth.exception.js';
import { LARGEST_TOLERANCE } from '../options/auth-option-table.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { TokenIdentity, VerifiedClaims } from '../options/token-claims.js';
import { isIdentifier } from '../platform/identifier.js';

/** No identity provider issues ids with this prefix. */
const NAMESPACE = 'nestjs-logout:claims:';

/**
 * The claims by which the log knows a token: `jti` and `sid` are taken from the claims that the option
 * `foreign` names for its issuer. A token that has neither is known by a digest of its claims as they
 * were signed, for which its text is needed: what an application makes of the claims may differ from
 * request to request.
 *
 * What it gives may be passed to it again.
 *
 * @throws AuthUnauthorizedException `token_invalid` for a text that is not the one of these claims.
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

/** What a text must say like the verified claims, or leave out like them. */
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
 * Whether a text may be the one that was verified. An application may have added claims or left some out;
 * what both have must be the same, or the text is that of another token, which was not revoked.
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
 * A value that came from JSON in the one spelling of RFC 8785 (JCS): no blanks, members in the order of
 * their UTF-16 code units, numbers and strings as ECMAScript writes them.
 *
 * @throws RangeError for what the RFC does not allow: a number that is not finite, a lone surrogate.
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
 * The `kid` in the header of a **verified** token: what `assertActive()` and `decide()` need to refuse
 * the tokens of a revoked key. `undefined` where the header has none, or cannot be read.
 *
 * Use it only where your strategy chooses the key by this `kid` (a `secretOrKeyProvider`, a JWKS). A
 * strategy with one key ignores the header, so the thief of a leaked key can write any `kid` into it:
 * there pass the key's id yourself, with a fixed `kid` or `secretKid(secret)`.
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
    // An empty one names no key that could be revoked.
    return typeof header?.kid === 'string' && header.kid !== '' ? header.kid : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether the log can say anything about a token: it is ours, or its issuer is registered; it has an
 * id by which it can be revoked; and it expires before its revocation would be deleted.
 *
 * @throws AuthUnauthorizedException `token_invalid`: what cannot be revoked is not accepted.
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
  // Its revocation may have been deleted: no verifier may be that tolerant.
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
 * What `assertActive({ checkTimes: true })` adds: `exp` and `nbf`, as the guard judges them.
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
