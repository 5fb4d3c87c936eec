import { hash } from 'node:crypto';
import { isIdentifier } from '../../platform/identifier.js';

const OURS = ['iss', 'aud', 'sid', 'jti', 'gen'] as const;

/** Ids of our own are UUIDs, so none of them can be one of these. */
const NAMESPACE = 'nestjs-logout:legacy:';

/**
 * Whether a payload that was signed with the secret of `legacy` came from this library (`sign: true`):
 * then every rule for our tokens holds, and session and generation decide.
 */
export function isOfOurMaking(payload: object): boolean {
  return OURS.every((name) => Object.hasOwn(payload, name));
}

/** The account of a token of the recipe: a text, or a number as `logoutAll(1)` writes it. */
export function legacySubject(sub: unknown): string | undefined {
  if (typeof sub === 'number' && Number.isSafeInteger(sub)) return String(sub);
  return isIdentifier(sub) ? sub : undefined;
}

/**
 * What takes the place of an id: a digest of the payload's bytes. Never of the token's text, of which
 * there may be several; the caller has seen that the segment is the one spelling of its bytes.
 */
export function legacyId(segment: string): string {
  return NAMESPACE + hash('sha256', Buffer.from(segment, 'base64url'), 'hex');
}
