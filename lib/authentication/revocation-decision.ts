import type { TokenClaims } from '../options/token-claims.js';
import type { RevocationService } from '../revocation/revocation.service.js';
import { ACTIVE, exceptionOf, type Verdict } from '../revocation/verdict.js';
import type { TokenDemand } from './token-demand.js';

/**
 * Asks the revocation whether verified claims are still good: returns when they are, throws when not.
 * Only where a proof has to be waited for it returns a promise.
 *
 * With `allowExpired` a revoked token passes, so that a logout can be repeated; one that was signed by
 * a revoked key does not: whoever stole the key must not be able to log people out.
 *
 * @throws AuthException the refusal.
 */
export function assertNotRevoked(
  revocation: RevocationService,
  claims: TokenClaims,
  kid: string,
  demand: TokenDemand,
): void | Promise<void> {
  if (demand.allowExpired) {
    if (!revocation.isKeyRevoked(kid)) return;
    throw exceptionOf({ state: 'revoked', kind: 'key', reason: 'unspecified' });
  }
  const { freshness, whenStale } = demand;
  const verdict = revocation.decide(claims, { freshness, whenStale, kid });
  if (verdict === ACTIVE) return;
  if (verdict instanceof Promise) return verdict.then(assertActive);
  assertActive(verdict);
}

function assertActive(verdict: Verdict): void {
  if (verdict.state !== 'active') throw exceptionOf(verdict);
}
