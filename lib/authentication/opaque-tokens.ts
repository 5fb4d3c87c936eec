import type { TokenDemand } from './token-verifier.js';
import type { VerifiedToken } from './verified-tokens.js';

/**
 * Finds what an opaque token stands for. It is injected as `undefined` where the option `apiTokens` is off.
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
}
