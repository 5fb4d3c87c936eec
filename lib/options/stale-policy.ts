import { type Duration, parseDuration } from './duration.js';

/**
 * What a guard does with a token that is not known to be revoked, while this instance cannot prove that
 * it is fresh: `'closed'` answers 503. `{ staleFor }` accepts with a proof of up to this age, seconds or
 * `'10m'`, more than `maxStaleness` and at most 7 days. `'open'` accepts with a proof of any age.
 *
 * Anything but `'closed'` widens the bound of **every** receipt, on every instance: a token that was
 * logged out on another instance may be accepted for this long.
 *
 * @publicApi
 */
export type StalePolicy = 'closed' | 'open' | { readonly staleFor: Duration };

/**
 * "Without a bound", in milliseconds of staleness: about a hundred years, which fits every column and
 * any arithmetic. No token has such a lifetime.
 */
export const UNBOUNDED = 100 * 366 * 86_400_000;

/** The longest `staleFor` (ms), which a timer can still wait for. A longer one would be `'open'`. */
const LONGEST = 7 * 86_400_000;

/**
 * Up to how many milliseconds of staleness a policy accepts, or the sentence with the fix.
 *
 * @param maxStaleness - What the module accepts anyway (ms); 0 where that is not known yet.
 * @internal
 */
export function parseStalePolicy(
  given: unknown,
  maxStaleness: number,
): number | { readonly fix: string } {
  if (given === 'closed') return maxStaleness;
  if (given === 'open') return UNBOUNDED;
  if (typeof given !== 'object' || given === null || Object.keys(given).join() !== 'staleFor') {
    return { fix: "Write 'closed', 'open' or { staleFor: '10m' }." };
  }
  return parseStaleFor(Reflect.get(given, 'staleFor'), maxStaleness);
}

/** The duration of a policy in milliseconds; see {@link parseStalePolicy}. @internal */
export function parseStaleFor(
  given: unknown,
  maxStaleness: number,
): number | { readonly fix: string } {
  const parsed = parseDuration(given);
  if (typeof parsed !== 'number') return parsed;
  if (parsed > LONGEST) return { fix: "Give at most 7 days; write 'open' for longer." };
  if (parsed > maxStaleness) return parsed;
  return {
    fix: 'Give more than maxStaleness, which is accepted anyway; @Freshness() is what tightens.',
  };
}

/** The policy that accepts up to so many milliseconds: {@link parseStalePolicy} backwards. @internal */
export function stalePolicyOf(upTo: number, maxStaleness: number): StalePolicy {
  if (upTo >= UNBOUNDED) return 'open';
  return upTo > maxStaleness ? { staleFor: upTo / 1000 } : 'closed';
}

/** Whether this is a production process, as Nest applications say it. There `'open'` needs a name. */
export function isProduction(): boolean {
  return process.env['NODE_ENV'] === 'production';
}
