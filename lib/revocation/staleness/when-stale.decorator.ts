import { Reflector } from '@nestjs/core';
import { AuthWiringError } from '../../errors/auth-wiring.error.js';
import { parseStalePolicy, type StalePolicy } from '../../options/stale-policy.js';

/**
 * What becomes of this route's requests while the instance cannot prove that it is fresh: see
 * {@link StalePolicy}. The handler's wins over its class's, and that over the option `whenStale`.
 *
 * It is found at boot and **widens the bound of every receipt**, on every instance; `'open'` needs
 * `openAcknowledgedBy` in production. `'closed'` on a handler keeps it closed whatever else is said,
 * an override included. Together with `@Freshness('strict')` it stops the boot.
 *
 * @example
 * ```ts
 * @WhenStale({ staleFor: '10m' }) @Get('timetable') timetable() { … }
 * ```
 * @publicApi
 */
export const WhenStale = Reflector.createDecorator<StalePolicy, StalePolicy>({
  key: 'nestjs-logout:when-stale',
  transform: (value) => {
    const parsed = parseStalePolicy(value, 0);
    if (typeof parsed === 'number') return value;
    throw new AuthWiringError(`@WhenStale(${JSON.stringify(value)}) cannot be used.`, parsed.fix);
  },
});
