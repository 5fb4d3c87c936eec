/**
 * The `kid` of the key that verified these claims, for a watched connection: `revokeKey()` ends the tokens of
 * one key, and claims do not name it. Copies of the claims are not in it.
 */
export const KID_OF_CLAIMS = new WeakMap<object, string>();
