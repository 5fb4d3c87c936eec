import { Injectable } from '@nestjs/common';
import { refusal } from '../errors/auth.exception.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import type { StalePolicy } from '../options/operation-settings.js';
import type { TokenClaims } from '../options/token-claims.js';
import type { Freshness } from '../revocation/staleness/freshness.decorators.js';
import { TokenVerifier } from './token-verifier.js';

/** What {@link TokenService.verify} can be asked beside the token. */
export interface VerifyTokenOptions {
  /** How fresh the proof must be; only tightens what the module says. */
  freshness?: Freshness | undefined;
  /**
   * What happens to the token while freshness cannot be proven; not together with `'strict'`. A policy
   * that is wider than any found at boot is refused: put `@WhenStale()` on the gateway or job too.
   *
   * @default the option `whenStale`; `'closed'` where `freshness` is given
   */
  whenStale?: StalePolicy | undefined;
  /** As `@AllowExpired()`: for a call that is about to revoke the session anyway. */
  allowExpired?: boolean | undefined;
}

/**
 * Verifies access tokens that did not come in a guarded HTTP request: those of sockets and jobs. It has the
 * guard's rules, check for revocation and exceptions.
 *
 * @example
 * ```ts
 * async handleConnection(socket: Socket) {
 *   try {
 *     socket.data.claims = await this.tokens.verify(socket.handshake.auth.token);
 *   } catch {
 *     socket.disconnect(true); // Nest does not catch what handleConnection throws
 *   }
 * }
 * ```
 * @publicApi
 */
@Injectable()
export class TokenService {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly meter: AuthMeter,
  ) {}

  /**
   * The claims of a token that is good now.
   *
   * @throws AuthException as the guard: 401 with a code (`token_missing` for `undefined`), or 503
   * `revocation_state_unknown`.
   */
  async verify(text: string, options: VerifyTokenOptions = {}): Promise<TokenClaims> {
    const { freshness, whenStale, allowExpired = false } = options;
    const demand = { allowExpired, freshness, whenStale };
    try {
      if (text === undefined || text === null) throw refusal('token_missing');
      if (typeof text !== 'string') throw refusal('token_malformed');
      const token = this.verifier.accept(this.verifier.verify(text), demand);
      await this.verifier.decide(token, demand);
      return this.verifier.copyClaims(token);
    } catch (error) {
      this.meter.refuse(error);
      throw error;
    }
  }
}
