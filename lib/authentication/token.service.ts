import { Injectable } from '@nestjs/common';
import { refusal } from '../errors/auth.exception.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import type { AuthKey } from '../options/auth-key.js';
import type { StalePolicy } from '../options/stale-policy.js';
import type { TokenClaims } from '../options/token-claims.js';
import { RevocationService } from '../revocation/revocation.service.js';
import type { Freshness } from '../revocation/staleness/freshness.decorators.js';
import { ClaimsPolicy } from './claims-policy.js';
import { KeyJwt } from './jwt.service.js';
import { KeyRing } from './key-ring.js';
import { assertNotRevoked } from './revocation-decision.js';
import { inspectToken, isCompactToken } from './token-inspector.js';

/** What {@link TokenService.verify} can be asked beside the token. */
export interface VerifyTokenOptions {
  /** How fresh the proof must be; only tightens what the module says. */
  freshness?: Freshness | undefined;
  /**
   * What becomes of the token while nothing can be proven; not together with `'strict'`. One that is
   * wider than any that stood somewhere at boot is refused: put `@WhenStale()` on the gateway or job too.
   *
   * @default the option `whenStale`; `'closed'` where `freshness` is given
   */
  whenStale?: StalePolicy | undefined;
  /** As `@AllowExpired()`: for whoever is about to end the login anyway. */
  allowExpired?: boolean | undefined;
}

/**
 * Verifies access tokens that did not come in a guarded HTTP request: those of sockets and jobs. The
 * rules, the check for revocation and the exceptions are those of the guard.
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
    private readonly keyed: KeyJwt,
    private readonly ring: KeyRing,
    private readonly policy: ClaimsPolicy,
    private readonly revocation: RevocationService,
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
      const { key, payload, isLegacy } = inspectToken(this.ring, text);
      const parsed = isLegacy ? this.parseLegacy(text) : this.parse(text, key);
      const claims = this.policy.accept(parsed, payload, demand.allowExpired, isLegacy);
      await assertNotRevoked(this.revocation, claims, key.kid, demand);
      return claims;
    } catch (error) {
      this.meter.refuse(error);
      throw error;
    }
  }

  private parse(text: string, key: AuthKey): unknown {
    if (!isCompactToken(text)) throw refusal('token_malformed');
    try {
      return this.keyed.of(key).verify(text, { ignoreExpiration: true, ignoreNotBefore: true });
    } catch (cause) {
      throw refusal('token_invalid', { cause: cause });
    }
  }

  private parseLegacy(text: string): unknown {
    try {
      return this.ring.legacy?.verify(text);
    } catch (cause) {
      throw refusal('token_invalid', { cause: cause });
    }
  }
}
