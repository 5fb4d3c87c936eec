import type { Random } from '../random.js';

/** How many instances there are. */
export const INSTANCES = 3;

/** A guarded request or a refresh, so many milliseconds after what it follows. */
export interface TimedCall {
  readonly kind: 'me' | 'refresh';
  readonly after: number;
  readonly session: number;
  readonly on: number;
}

/** How a scenario ends logins. */
export interface EndCall {
  readonly kind: 'logout' | 'logoutByRefreshToken' | 'logoutOthers' | 'logoutAll';
  readonly session: number;
  readonly on: number;
}

/** What one client does from the login to the last check of what it ended. */
export interface Scenario {
  /**
   * `minted`: its own account, with tokens that the test signs. Otherwise one of the demo accounts.
   */
  readonly account: 'minted' | 'alice' | 'bob' | 'admin';
  /** The instance of each login. */
  readonly logins: readonly number[];
  readonly before: readonly TimedCall[];
  /** The same refresh token on all of these at once. */
  readonly refreshes: readonly { readonly session: number; readonly on: readonly number[] }[];
  readonly end: EndCall;
  /** Where the revocation is tried again if its outcome is unknown. */
  readonly again: readonly number[];
  readonly after: readonly TimedCall[];
}

/**
 * When each instance is asked after a revocation, in shares of the bound: at once, until it, and
 * later.
 */
const LOOKS = [0, 0, 0.02, 0.1, 0.3, 0.6, 0.9, 0.98, 1, 1, 1.01, 1.03, 1.1, 1.3, 1.6];

/** One client's next scenario; it follows from the random choices alone. */
export function planScenario(random: Random, bound: number): Scenario {
  const isMinted = random.isLikely(0.6);
  const kind = isMinted
    ? random.weighted({ logout: 5, logoutOthers: 2, logoutAll: 2 })
    : random.weighted({ logout: 5, logoutByRefreshToken: 3, logoutOthers: 0.4, logoutAll: 0.3 });
  const account = isMinted ? 'minted' : random.weighted({ alice: 2, bob: 2, admin: 1 });
  const count = kind === 'logout' && random.isLikely(0.7) ? 1 : random.between(2, 3);
  const on = (): number => random.between(0, INSTANCES - 1);
  const sessions = Array.from({ length: count }, (_, session) => session);
  const logins = sessions.map(on);
  const before: TimedCall[] = sessions.flatMap((session) =>
    sessionsOnSome(random, 0.7).map((instance) => ({
      kind: 'me',
      after: random.between(0, 200),
      session,
      on: instance,
    })),
  );
  const refreshes = isMinted
    ? []
    : Array.from({ length: random.between(1, 3) }, () => ({
        session: random.between(0, count - 1),
        on: Array.from({ length: random.between(1, 3) }, on),
      }));
  const end = { kind, session: random.between(0, count - 1), on: on() };
  const after: TimedCall[] = sessions.flatMap((session) =>
    LOOKS.flatMap((share) =>
      sessionsOnSome(random, session === 0 ? 0.8 : 0.4).map((instance) => {
        const jitter = share === 0 ? 0 : random.between(-5, 25);
        const at = Math.max(0, Math.round(share * bound) + jitter);
        const isRefresh = !isMinted && random.isLikely(0.12);
        return {
          kind: isRefresh ? ('refresh' as const) : ('me' as const),
          after: at,
          session,
          on: instance,
        };
      }),
    ),
  );
  return { account, logins, before, refreshes, end, again: [on(), on()], after };
}

function sessionsOnSome(random: Random, probability: number): number[] {
  return Array.from({ length: INSTANCES }, (_, each) => each).filter(() =>
    random.isLikely(probability),
  );
}
