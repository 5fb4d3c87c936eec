import type { TokenDemand } from './token-verifier.js';
import type { VerifiedToken } from './verified-tokens.js';

/**
 * Looks up opaque tokens, and issues the opaque access tokens of logins (option `accessTokens`). It
 * is an abstract class because the implementation needs sessions, which are in a later folder. It
 * is injected as `undefined` if the option `apiTokens` is off.
 */
export abstract class OpaqueTokens {
  /**
   * Finds the claims of a token, which are then checked like those of a JWT. It returns a promise
   * if the row must be read.
   *
   * @returns `undefined` for a text without the prefix of an opaque token of this application.
   * @throws AuthUnauthorizedException, or a promise that rejects with it: `token_malformed`;
   * `token_invalid` for an unknown token; the refusal of a revoked token, unless `allowExpired` is
   * set.
   * @throws AuthUnavailableException in the promise, if the row cannot be read.
   */
  abstract verify(
    text: string,
    demand: TokenDemand,
  ): VerifiedToken | Promise<VerifiedToken> | undefined;

  /**
   * Stores the claims of an access token, and returns an opaque token for them (option
   * `accessTokens`).
   *
   * @param payload - The claims, without `iss` and `aud`.
   * @param kid - The key whose digest binds the token to a client.
   * @returns the text of the token.
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  abstract issue(payload: Readonly<Record<string, unknown>>, kid: string): Promise<string>;
}
