const KIDS = new WeakMap<object, string>();

/**
 * Keeps which key verified these claims, for a connection that is watched: `revokeKey()` ends the tokens of
 * one key, and claims do not say whose they are.
 */
export function rememberKid(claims: object, kid: string): void {
  KIDS.set(claims, kid);
}

/** The kid of the key that verified these claims; `undefined` for others, and for copies of them. */
export function kidOfClaims(claims: object): string | undefined {
  return KIDS.get(claims);
}
