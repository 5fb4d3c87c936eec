import type { Freshness } from '../revocation/staleness/freshness.decorators.js';
import type { StalePolicy } from '../options/stale-policy.js';

/** What the one who asks demands of a token, beyond what holds for all. */
export interface TokenDemand {
  /** `true`: neither expiry nor a logout counts any more; it is about to be ended anyway. */
  readonly allowExpired: boolean;
  /** Only tightens what the module says. */
  readonly freshness: Freshness | undefined;
  /** What becomes of the token while nothing can be proven; `undefined`: what the module says. */
  readonly whenStale: StalePolicy | undefined;
}

/** What is demanded where nothing else was said. */
export const DEFAULT_DEMAND: TokenDemand = Object.freeze({
  allowExpired: false,
  freshness: undefined,
  whenStale: undefined,
});
