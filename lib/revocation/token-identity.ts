import { hash } from 'node:crypto';
import { AuthUnauthorizedException } from '../errors/unauthorized.exception.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { canonicalJson } from '../platform/canonical-json.js';
import type { VerifiedClaims } from './token-claims.js';

/** No identity provider makes ids that start so. */
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
 * what both have must be the same, or the text is that of another token, which nobody has ended.
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

function notOfTheseClaims(cause?: unknown): AuthUnauthorizedException {
  return new AuthUnauthorizedException(
    'token_invalid',
    'The token is not valid: its text does not hold the claims that were verified. Pass the text of the ' +
      'same token, and claims as they were signed; others may be added.',
    cause === undefined ? {} : { cause },
  );
}
