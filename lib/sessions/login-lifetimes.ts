import { AuthWiringError } from '../errors/auth-wiring.error.js';
import {
  ANY_CLIENT,
  type Lifetimes,
  shorterLifetimes,
  usualLifetimes,
} from '../options/client-lifetimes.js';
import { type Duration, parseDuration } from '../options/duration.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { LoginContext } from './login-context.js';

const SECOND = 1_000;

/** What one login may shorten. */
export type AskedLifetimes = Pick<
  LoginContext,
  'sessionTtl' | 'sessionIdleTtl' | 'refreshTokenTtl' | 'accessTokenTtl'
>;

/** Lifetimes of one login, and what is stored of them; `null`: each refresh goes by the options. */
export interface LoginLifetimes extends Lifetimes {
  readonly accessTtl: number | null;
  readonly storedIdleTtl: number | null;
}

/**
 * How long a login is good: by its client, and what it asks for where that is shorter.
 *
 * @throws AuthWiringError for what is no duration, and for less than a second.
 */
export function lifetimesOf(
  client: string | null,
  asked: AskedLifetimes,
  options: ResolvedAuthOptions,
): LoginLifetimes {
  const usual = usualLifetimes(options);
  const { lifetimes } = options;
  const most = lifetimes?.get(client ?? ANY_CLIENT) ?? lifetimes?.get(ANY_CLIENT) ?? usual;
  const idleTtl = Math.min(
    durationOf('sessionIdleTtl', asked.sessionIdleTtl),
    durationOf('refreshTokenTtl', asked.refreshTokenTtl, 0),
  );
  const own = shorterLifetimes(most, {
    sessionTtl: durationOf('sessionTtl', asked.sessionTtl),
    accessTokenTtl: durationOf('accessTokenTtl', asked.accessTokenTtl),
    idleTtl,
  });
  return {
    ...own,
    accessTtl: own.accessTokenTtl === usual.accessTokenTtl ? null : own.accessTokenTtl,
    storedIdleTtl: own.idleTtl === usual.idleTtl ? null : own.idleTtl,
  };
}

function durationOf(
  name: keyof AskedLifetimes,
  given: Duration | undefined,
  least = SECOND,
): number {
  if (given === undefined) return Infinity;
  const life = parseDuration(given);
  if (typeof life === 'number' && life >= least && life % SECOND === 0) return life;
  throw new AuthWiringError(
    `login(…, { ${name} }) needs a duration of whole seconds, at least ${least / SECOND}.`,
    typeof life === 'number' ? "Write seconds, such as 43200, or '12h'." : life.fix,
  );
}

/** What no login with a client that the request named may exceed; `undefined`: there are no lifetimes by client. */
export function mostOfAnyClient(
  lifetimes: ResolvedAuthOptions['lifetimes'],
): AskedLifetimes | undefined {
  const any = lifetimes?.get(ANY_CLIENT);
  return (
    any && {
      sessionTtl: any.sessionTtl / SECOND,
      refreshTokenTtl: any.idleTtl / SECOND,
      accessTokenTtl: any.accessTokenTtl / SECOND,
    }
  );
}
