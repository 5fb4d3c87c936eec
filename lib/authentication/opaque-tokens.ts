import type { TokenDemand } from './token-verifier.js';
import type { VerifiedToken } from './verified-tokens.js';

/**
 * Opaque tokens: finds what one stands for, and issues those that `login()` gives in place of JWTs. It is
 * injected as `undefined` where the option `apiTokens` is off.
 */
export abstract class OpaqueTokens {
  /**
   * The claims of a token, to be decided as those of a JWT are. A promise where its row has to be read.
   *
   * @returns `undefined` for a text that has not the form of an opaque token of this application.
   * @throws AuthUnauthorizedException, or a promise that rejects with it: `token_malformed`;
   * `token_invalid` for one that is unknown; the refusal of one that was revoked, unless `allowExpired`.
   * @throws AuthUnavailableException in the promise, while the row cannot be read.
   */
  abstract verify(
    text: string,
    demand: TokenDemand,
  ): VerifiedToken | Promise<VerifiedToken> | undefined;

  /**
   * Stores what a JWT would have said (option `accessTokens`).
   *
   * @param payload - The claims, without `iss` and `aud`.
   * @param kid - The key by which it is bound to a client.
   * @returns the text of the token.
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  abstract issue(payload: Readonly<Record<string, unknown>>, kid: string): Promise<string>;
}
