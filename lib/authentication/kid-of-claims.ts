/**
 * Which key verified these claims, for a connection that is watched: `revokeKey()` ends the tokens of one
 * key, and claims do not say whose they are. Copies of the claims are not in it.
 */
export const KID_OF_CLAIMS = new WeakMap<object, string>();
