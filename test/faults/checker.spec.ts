import { describe, expect, it } from '@jest/globals';
import { checkHistory } from './history/check-history.js';
import type { Incarnation, Isolation, Operation } from './history/operation.js';
import { describeViolation, type Violation } from './history/violation.js';

const PROMISES = { bound: 5_000, refreshGrace: 1_000 };

/** A, B and C from the start; 3 is A's second process, started at 10,000. */
const INCARNATIONS: readonly Incarnation[] = [
  { instance: 'A', started: -100 },
  { instance: 'B', started: -100 },
  { instance: 'C', started: -100 },
  { instance: 'A', started: 10_000 },
];

/** An operation of one account with one login, unless it says otherwise. */
function op(
  kind: Operation['kind'],
  incarnation: number,
  invoked: number,
  completed: number,
  more: Partial<Operation> = {},
): Operation {
  const outcome = 'ok';
  return {
    kind,
    incarnation,
    subject: 'alice',
    session: 'S',
    invoked,
    completed,
    outcome,
    ...more,
  };
}

const LOGIN = op('login', 0, 0, 10);
const REVOKED: Partial<Operation> = { outcome: 'fail', code: 'session_ended', reason: 'logout' };
const UNKNOWN: Partial<Operation> = { outcome: 'unknown', code: 'storage_unavailable' };

function check(
  operations: readonly Operation[],
  isolations: readonly Isolation[] = [],
): readonly Violation[] {
  return checkHistory({ incarnations: INCARNATIONS, isolations, operations }, PROMISES);
}

function broken(...operations: readonly Operation[]): string[] {
  return check(operations).map(({ promise }) => promise);
}

describe('the checker of histories', () => {
  it('the checker accepts a logout that holds', () => {
    expect(
      broken(
        LOGIN,
        op('me', 1, 20, 30),
        op('logout', 0, 100, 110),
        op('me', 0, 110, 120, REVOKED),
        op('me', 1, 5_109, 5_200), // invoked one millisecond before the bound
        op('me', 2, 5_110, 5_120, { outcome: 'fail', code: 'revocation_state_unknown' }),
        op('me', 2, 5_130, 5_140, REVOKED),
      ),
    ).toEqual([]);
  });

  it('P1: the checker reports a token accepted by the instance that had resolved the logout', () => {
    const logout = op('logout', 0, 100, 110);
    expect(broken(LOGIN, logout, op('me', 0, 110, 120))).toEqual(['P1']);
    expect(broken(LOGIN, logout, op('me', 0, 109, 120))).toEqual([]);
    expect(broken(LOGIN, logout, op('me', 1, 110, 120))).toEqual([]);
  });

  it('P2: the checker reports a token accepted after the bound', () => {
    const logout = op('logout', 0, 100, 110);
    expect(broken(LOGIN, logout, op('me', 1, 5_110, 5_120))).toEqual(['P2']);
    const late = op('me', 1, 5_110, 5_120);
    expect(broken(LOGIN, { ...logout, ...UNKNOWN }, late)).toEqual([]); // maybe it was not made
    expect(
      broken(LOGIN, { ...logout, outcome: 'fail', code: 'revocation_state_unknown' }, late),
    ).toEqual([]);
  });

  it('P2: the checker reports a logout-all ignored by complete logins, and not by later ones', () => {
    const all = op('logoutAll', 0, 100, 200, { session: 'T' });
    const late = op('me', 1, 6_000, 6_010);
    expect(broken(LOGIN, all, late)).toEqual(['P2']);
    expect(broken(op('login', 0, 50, 150), all, late)).toEqual([]); // at the same time: either order
    expect(broken(op('login', 0, 201, 210), all, late)).toEqual([]);
    expect(broken(LOGIN, { ...all, subject: 'bob' }, late)).toEqual([]);
  });

  it('P2: the checker reports a logout-others ignored by any session but the caller’s', () => {
    const others = op('logoutOthers', 0, 100, 110, { session: 'T' });
    expect(broken(LOGIN, others, op('me', 1, 6_000, 6_010))).toEqual(['P2']);
    expect(broken(LOGIN, { ...others, session: 'S' }, op('me', 1, 6_000, 6_010))).toEqual([]);
  });

  it('P3: the checker reports a token accepted by an instance that had been cut off for the bound', () => {
    const cut = [{ instance: 'B', from: 100, to: 9_000 }];
    const promises = (operation: Operation): string[] =>
      check([LOGIN, operation], cut).map(({ promise }) => promise);
    expect(promises(op('me', 1, 5_100, 5_110))).toEqual(['P3']);
    expect(promises(op('me', 1, 5_099, 5_110))).toEqual([]);
    expect(promises(op('me', 1, 8_999, 9_001))).toEqual([]); // it was connected when it answered
    expect(promises(op('me', 2, 5_100, 5_110))).toEqual([]);
  });

  it('P4: the checker reports a token accepted by an instance that reported afterwards that it was still loading', () => {
    const loading = op('health', 0, 50, 60, { session: '', code: 'loading', outcome: 'fail' });
    expect(broken(LOGIN, op('me', 0, 30, 40), loading)).toEqual(['P4']);
    expect(broken(LOGIN, op('me', 0, 30, 55), loading)).toEqual([]);
  });

  it('P5: the checker reports a token accepted by a process started after the logout, within the bound too', () => {
    const logout = op('logout', 1, 9_000, 9_900);
    expect(broken(LOGIN, logout, op('me', 3, 10_500, 10_600))).toEqual(['P5']);
    expect(broken(LOGIN, op('logout', 1, 9_000, 10_001), op('me', 3, 10_500, 10_600))).toEqual([]);
  });

  it('P6: the checker reports a token accepted by the process that had refused it', () => {
    const logout = op('logout', 1, 9_000, 9_900, UNKNOWN);
    const refused = op('me', 0, 9_910, 9_920, REVOKED);
    expect(broken(LOGIN, logout, refused, op('me', 0, 9_921, 9_930))).toEqual(['P6']);
    expect(broken(LOGIN, logout, refused, op('me', 0, 9_915, 9_930))).toEqual([]);
    expect(broken(LOGIN, logout, refused, op('me', 3, 10_921, 10_930))).toEqual([]); // restarted
  });

  it('P8: the checker reports a token refused as revoked although nothing revoked it', () => {
    const refused = op('me', 1, 300, 310, REVOKED);
    expect(broken(LOGIN, refused)).toEqual(['P8']);
    expect(broken(LOGIN, op('logout', 0, 311, 320), refused)).toEqual(['P8']);
    expect(broken(LOGIN, op('logout', 0, 309, 320), refused)).toEqual([]);
    expect(broken(LOGIN, op('logout', 0, 100, 120, UNKNOWN), refused)).toEqual([]);
    const failed = { outcome: 'fail', code: 'revocation_state_unknown' } as const;
    expect(broken(LOGIN, op('logout', 0, 100, 120, failed), refused)).toEqual(['P8']);
  });

  it('P8: the checker reports a token refused for an event that was settled before its login started', () => {
    const all = op('logoutAll', 0, 100, 200, { session: 'T' });
    const refused = op('me', 1, 300, 310, { ...REVOKED, reason: 'logged_out_elsewhere' });
    expect(broken(op('login', 0, 201, 210), all, refused)).toEqual(['P8']);
    expect(broken(op('login', 0, 199, 210), all, refused)).toEqual([]);
    const lost = { ...UNKNOWN, isCommitted: true };
    expect(broken(op('login', 0, 201, 210), { ...all, ...lost }, refused)).toEqual(['P8']);
  });

  it('P8: the checker reports a token refused for a wrong reason, or reported as no token of ours', () => {
    const all = op('logoutAll', 0, 100, 200, { session: 'T' });
    expect(broken(LOGIN, all, op('me', 1, 300, 310, REVOKED))).toEqual(['P8']);
    const invalid = op('me', 1, 300, 310, { outcome: 'fail', code: 'token_invalid' });
    expect(broken(LOGIN, all, invalid)).toEqual(['P8']);
  });

  it('P8: the checker reports an unknown refresh token, unless its login was overtaken during the login', () => {
    const unknown = { outcome: 'fail', code: 'refresh_token_invalid', presented: 'r1' } as const;
    const refresh = op('refresh', 1, 300, 310, unknown);
    const all = op('logoutAll', 0, 100, 200, { session: 'T' });
    expect(broken(op('login', 0, 50, 150), all, refresh)).toEqual([]);
    expect(broken(LOGIN, all, refresh)).toEqual(['P8']);
    expect(broken(op('login', 0, 201, 210), all, refresh)).toEqual(['P8']);
  });

  it('P9: the checker reports two successors, or one after the session ended', () => {
    const first = op('refresh', 0, 20, 30, { presented: 'r1', successor: 'r2' });
    const again = op('refresh', 1, 25, 40, { presented: 'r1', successor: 'r2' });
    expect(broken(LOGIN, first, again)).toEqual([]);
    expect(broken(LOGIN, first, { ...again, successor: 'r3' })).toEqual(['P9']);
    const logout = op('logout', 0, 50, 60);
    const late = op('refresh', 1, 60, 70, { presented: 'r2', successor: 'r3' });
    expect(broken(LOGIN, first, logout, late)).toEqual(['P9']);
    expect(broken(LOGIN, first, logout, { ...late, invoked: 59 })).toEqual([]);
  });

  it('P9: the checker reports a reuse within the grace, and expects one after it to end the login', () => {
    const first = op('refresh', 0, 20, 30, { presented: 'r1', successor: 'r2' });
    const reused = { presented: 'r1', outcome: 'fail', code: 'refresh_token_reused' } as const;
    expect(broken(LOGIN, first, op('refresh', 1, 1_000, 1_010, reused))).toEqual(['P9']);
    const theft = op('refresh', 1, 1_100, 1_110, reused);
    expect(broken(LOGIN, first, theft)).toEqual([]);
    const refused = op('me', 2, 1_200, 1_210, { ...REVOKED, reason: 'refresh_reused' });
    expect(broken(LOGIN, first, theft, refused)).toEqual([]);
    expect(broken(LOGIN, first, theft, op('me', 2, 6_110, 6_120))).toEqual(['P2']);
  });

  it('W4: the checker reports a token accepted although its logout was committed and the answer lost', () => {
    const lost = op('logout', 0, 100, 110, { ...UNKNOWN, isCommitted: true });
    expect(broken(LOGIN, lost, op('me', 0, 120, 130))).toEqual(['W4']);
    expect(broken(LOGIN, lost, op('me', 1, 120, 130))).toEqual([]);
    expect(broken(LOGIN, lost, op('me', 1, 5_120, 5_130))).toEqual(['P2']);
  });

  it('the checker sees an instance that stays stuck, and an answer that the contract does not define', () => {
    const failed = { outcome: 'fail', session: '' } as const;
    expect(broken(op('settle', 0, 0, 30_000, failed))).toEqual(['not stuck']);
    expect(broken(op('login', 0, 0, 10, { ...failed, code: 'http 500' }))).toEqual(['answers']);
  });

  it('the checker shows the shortest excerpt: the login, the logout and the operation that broke the promise', () => {
    const logout = op('logout', 0, 100, 110);
    const noise = Array.from({ length: 50 }, (_, i) => op('me', 2, 200 + i, 201 + i, REVOKED));
    const history = {
      incarnations: INCARNATIONS,
      isolations: [],
      operations: [LOGIN, logout, ...noise, op('me', 1, 5_130, 5_140)],
    };
    const [violation] = checkHistory(history, PROMISES);
    expect(violation && describeViolation(violation, history).split('\n')).toEqual([
      'P2: accepted 20 ms after the bound',
      '        0 ..     10 ms  A#0    login [alice / S] ok',
      '      100 ..    110 ms  A#0    logout [alice / S] ok',
      '     5130 ..   5140 ms  B#1    me [alice / S] accepted',
    ]);
  });

  it('the checker judges a million operations in reasonable time', () => {
    const operations: Operation[] = [];
    for (let i = 0; i < 40_000; i++) {
      const [session, subject] = [`session-${i}`, `account-${i % 10_000}`];
      const at = i * 10;
      const its = { session, subject };
      operations.push(op('login', 0, at, at + 5, its), op('logout', 0, at + 100, at + 110, its));
      for (let look = 0; look < 23; look++) {
        const after = { ...its, ...(look < 20 ? REVOKED : UNKNOWN) };
        operations.push(op('me', look % 3, at + 6_000 + look, at + 6_010 + look, after));
      }
    }
    expect(operations).toHaveLength(1_000_000);
    const start = performance.now();
    const late = op('me', 1, 9_000, 9_001, { session: 'session-7', subject: 'account-7' });
    expect(check([...operations, late]).map(({ promise }) => promise)).toEqual(['P6', 'P2']);
    console.info(`1,000,000 operations checked in ${(performance.now() - start).toFixed(0)} ms`);
  });
});
