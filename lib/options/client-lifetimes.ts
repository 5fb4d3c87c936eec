import type { Duration } from './duration.js';
import {
  duration,
  option,
  OptionProblems,
  readOptions,
  refused,
  wrongKind,
} from './option-checks.js';

/** The entry for all clients that are not listed, and for logins without a client name. */
export const ANY_CLIENT = '*';

/**
 * Lifetimes of the logins of one client: an entry of the option `lifetimes`. If a lifetime is omitted, the
 * option of the same name applies. One of `sessionIdleTtl` and `refreshTokenTtl` sets both.
 *
 * @publicApi
 */
export interface ClientLifetimes {
  /**
   * How long a session can last: 1 s to 366 days. It may be longer than the option.
   *
   * @default the option
   */
  readonly sessionTtl?: Duration | undefined;
  /**
   * A session expires after this time without a refresh: 1 s to 366 days. It may be longer than the option.
   *
   * @default as long as `refreshTokenTtl`
   */
  readonly sessionIdleTtl?: Duration | undefined;
  /**
   * The lifetime of a refresh token: 0 (no refresh token) to 366 days. It may be longer than the option.
   *
   * @default as long as `sessionIdleTtl`; if both are omitted, the options
   */
  readonly refreshTokenTtl?: Duration | undefined;
  /**
   * The lifetime of an access token: from 1 s to the value of the option.
   *
   * @default the option
   */
  readonly accessTokenTtl?: Duration | undefined;
}

/** The lifetimes of a login (ms). */
export interface Lifetimes {
  readonly sessionTtl: number;
  readonly accessTokenTtl: number;
  /** How long it lasts without a refresh; 0: it has no refresh token. */
  readonly idleTtl: number;
}

/** The options that apply if a client has no entry (ms). */
export interface UsualLifetimes {
  readonly sessionTtl: number;
  readonly sessionIdleTtl: number;
  readonly refreshTokenTtl: number;
  readonly accessTokenTtl: number;
}

/** The lifetimes of a client without an entry. */
export function usualLifetimes(options: UsualLifetimes): Lifetimes {
  const { sessionTtl, sessionIdleTtl, refreshTokenTtl, accessTokenTtl } = options;
  return { sessionTtl, accessTokenTtl, idleTtl: Math.min(refreshTokenTtl, sessionIdleTtl) };
}

/** The shorter of each lifetime. */
export function shorterLifetimes(one: Lifetimes, other: Lifetimes): Lifetimes {
  return {
    sessionTtl: Math.min(one.sessionTtl, other.sessionTtl),
    accessTokenTtl: Math.min(one.accessTokenTtl, other.accessTokenTtl),
    idleTtl: Math.min(one.idleTtl, other.idleTtl),
  };
}

/**
 * Checks the option `lifetimes`. If `'*'` is not listed, it gets the shortest lifetimes of all entries and of
 * the options: at `POST login` a request chooses its client, and must not gain by an unknown name.
 */
export function clientLifetimes(
  given: unknown,
  path: string,
  earlier: UsualLifetimes,
): ReadonlyMap<string, Lifetimes> | undefined {
  if (given === undefined) return undefined;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    const fix = "Give lifetimes by client: { tv: { sessionTtl: '365d' }, web: { … } }.";
    throw wrongKind(path, given, fix);
  }
  const usual = usualLifetimes(earlier);
  const problems = new OptionProblems();
  const listed = Object.entries(given).map(([client, entry]) => {
    const read = (): Lifetimes => lifetimesIn(entry, `${path}.${client}`, usual);
    return [client, problems.attempt(read) ?? usual] as const;
  });
  problems.throwIfAny();
  const shortest = listed.reduce((so, [, each]) => shorterLifetimes(so, each), usual);
  return new Map([[ANY_CLIENT, shortest], ...listed]);
}

const ENTRY = {
  sessionTtl: option(undefined, optional('1s')),
  sessionIdleTtl: option(undefined, optional('1s')),
  refreshTokenTtl: option(undefined, optional('0s')),
  accessTokenTtl: option(undefined, optional('1s')),
} satisfies Record<keyof ClientLifetimes, unknown>;

function optional(least: string): (given: unknown, path: string) => number | undefined {
  const check = duration(least, '366d', 'whole seconds');
  return (given, path) => (given === undefined ? undefined : check(given, path, {}));
}

function lifetimesIn(given: unknown, path: string, usual: Lifetimes): Lifetimes {
  const values = readOptions(given, path, ENTRY);
  const { sessionTtl = usual.sessionTtl, accessTokenTtl = usual.accessTokenTtl } = values;
  const { sessionIdleTtl = Infinity, refreshTokenTtl = Infinity } = values;
  const idleTtl = Math.min(sessionIdleTtl, refreshTokenTtl);
  if (accessTokenTtl > usual.accessTokenTtl) {
    // How long revocations are kept depends on the option, so no token may be valid for longer.
    throw refused(
      `${path}.accessTokenTtl`,
      `${accessTokenTtl / 1_000} s`,
      `Use at most the option accessTokenTtl, which is ${usual.accessTokenTtl / 1_000} s, or raise the option.`,
    );
  }
  return { sessionTtl, accessTokenTtl, idleTtl: idleTtl === Infinity ? usual.idleTtl : idleTtl };
}
