/**
 * The `kid` in the header of a **verified** token: what `assertActive()` and `decide()` need to refuse
 * the tokens of a revoked key. `undefined` where the header has none, or cannot be read.
 *
 * Use it only where your strategy chooses the key by this `kid` (a `secretOrKeyProvider`, a JWKS). A
 * strategy with one key ignores the header, so whoever has the leaked key writes any `kid` into it:
 * there name the key yourself, with a fixed `kid` or `secretKid(secret)`.
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
    return typeof header?.kid === 'string' ? header.kid : undefined;
  } catch {
    return undefined;
  }
}
