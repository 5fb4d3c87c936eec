/** Issues opaque access tokens in place of JWTs; injected as `undefined` unless `accessTokens: 'opaque'`. */
export abstract class OpaqueIssuer {
  /**
   * Stores what a JWT would have said.
   *
   * @param payload - The claims, without `iss` and `aud`.
   * @param kid - The key by which it is bound to a client.
   * @returns the text of the token.
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  abstract issue(payload: Readonly<Record<string, unknown>>, kid: string): Promise<string>;
}
