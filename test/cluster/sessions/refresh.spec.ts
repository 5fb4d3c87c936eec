import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import {
  AccountService,
  type AuthEvent,
  AuthEvents,
  AuthException,
  type AuthSettings,
  type LoginResult,
} from 'nestjs-logout';
import type { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn } from '../../support/databases.js';
import type { Instance } from '../../support/instance.js';
import { claimsIn } from '../../support/log-tables.js';
import { Pair } from './pair.js';

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;

/** `'refreshed'`, or the code (and reason) with which it was refused. */
async function refusalOf(refresh: Promise<LoginResult>): Promise<string> {
  try {
    await refresh;
    return 'refreshed';
  } catch (error) {
    if (!(error instanceof AuthException)) throw error;
    return error.reason === undefined ? error.code : `${error.code}: ${error.reason}`;
  }
}

describe('refresh tokens', () => {
  describeOn(databaseKinds, 'a session', (kind) => {
    let shared: Pair;
    let apart: Pair | undefined;
    let clock: TestClock;
    let here: Instance;
    let there: Instance;
    let role: string;
    let claims: () => Record<string, unknown>;
    /** An account that no other test has. */
    let alice: string;

    const use = (pair: Pair): void => {
      ({ clock, here, there } = pair);
    };
    const startPair = (options: Partial<AuthSettings> = {}): Promise<Pair> =>
      Pair.start(kind, { claims: () => claims(), ...options });
    /** Two instances that this test alone has. */
    const startApart = async (options?: Partial<AuthSettings>): Promise<Pair> => {
      apart = await startPair(options);
      use(apart);
      return apart;
    };
    const login = async (subject = alice): Promise<Required<LoginResult>> =>
      (await here.sessions.login(() => ({ subject }))) as Required<LoginResult>;

    beforeAll(async () => {
      shared = await startPair();
    });

    beforeEach(() => {
      use(shared);
      clock.skewWall(0);
      role = 'user';
      claims = () => ({ role });
      alice = randomUUID();
    });

    afterEach(async () => {
      await apart?.end();
      apart = undefined;
    });

    afterAll(() => shared?.end());

    it('a refresh returns the next pair, and a token of the same session', async () => {
      const first = await login();
      const second = await there.sessions.refresh(first.refreshToken);
      expect(second.refreshToken).not.toBe(first.refreshToken);
      expect(second.sessionId).toBe(first.sessionId);
      expect(claimsIn(second.accessToken)).toMatchObject({ sub: alice, sid: first.sessionId });
      expect(await here.judge(second.accessToken)).toBe('active');
      expect(await here.judge(first.accessToken)).toBe('active');
      const third = await here.sessions.refresh(second.refreshToken ?? '');
      expect(third.sessionId).toBe(first.sessionId);
    });

    it('RT-06: a retry within the grace gets the same successor, on every instance', async () => {
      const { refreshToken } = await login();
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => (i % 2 ? here : there).sessions.refresh(refreshToken)),
      );
      expect(new Set(answers.map((answer) => answer.refreshToken)).size).toBe(1);
      expect(new Set(answers.map((answer) => answer.accessToken)).size).toBe(20);
      clock.advance(9_999);
      const late = await here.sessions.refresh(refreshToken);
      expect(late.refreshToken).toBe(answers[0]?.refreshToken);
      expect(await here.sessions.list(alice)).toHaveLength(1);
    });

    it('a retry gets the same successor even if it has been used meanwhile, and is told to catch up', async () => {
      const { refreshToken } = await login();
      const ahead = await here.sessions.refresh(refreshToken);
      const further = await here.sessions.refresh(ahead.refreshToken ?? '');
      const behind = await there.sessions.refresh(refreshToken);
      expect(behind.refreshToken).toBe(ahead.refreshToken);
      expect(behind.refreshAt).toBeLessThanOrEqual(clock.database());
      const caughtUp = await there.sessions.refresh(behind.refreshToken ?? '');
      expect(caughtUp.refreshToken).toBe(further.refreshToken);
    });

    it('RT-04, RT-05: a token that is used after its grace ends the session', async () => {
      const told: AuthEvent[] = [];
      here.app.get(AuthEvents).subscribe((event) => told.push(event));
      const first = await login();
      const second = await there.sessions.refresh(first.refreshToken);
      clock.advance(10_001);
      expect(await refusalOf(here.sessions.refresh(first.refreshToken))).toBe(
        'refresh_token_reused: refresh_reused',
      );
      expect(await here.judge(second.accessToken)).toBe('session_ended');
      expect(await refusalOf(there.sessions.refresh(second.refreshToken ?? ''))).toBe(
        'session_ended: refresh_reused',
      );
      expect(await here.sessions.list(alice)).toEqual([]);
      expect(told.map(({ type }) => type)).toEqual(['login', 'refresh_reused']);
      expect(told[1]).toMatchObject({ reuse: 'recent', scope: 'session' });
      expect(await refusalOf(here.sessions.refresh(first.refreshToken))).toBe(
        'session_ended: refresh_reused',
      );
    });

    it.each(['the attacker', 'the victim'])(
      'RT-04: whether %s comes first or the other, no one is left with a token',
      async (first) => {
        const stolen = await login();
        const winner = first === 'the attacker' ? here : there;
        const taken = await winner.sessions.refresh(stolen.refreshToken);
        clock.advance(60_000);
        expect(await refusalOf(there.sessions.refresh(stolen.refreshToken))).toContain('reused');
        const [row] = (await here.dataSource.query(
          `SELECT ended_at, end_reason FROM auth_session WHERE sid = '${stolen.sessionId}'`,
        )) as { ended_at: unknown; end_reason: string }[];
        expect(row?.ended_at).not.toBeNull();
        expect(row?.end_reason).toBe('refresh_reused');
        for (const instance of [here, there]) {
          expect(await refusalOf(instance.sessions.refresh(taken.refreshToken ?? ''))).toBe(
            'session_ended: refresh_reused',
          );
          await instance.feed.strictProof();
          expect(await instance.judge(taken.accessToken)).toBe('session_ended');
        }
      },
    );

    it('the grace follows the database’s clock: a host that is 30 s off logs no one out', async () => {
      const { refreshToken } = await login();
      clock.skewWall(30_000);
      const first = await here.sessions.refresh(refreshToken);
      clock.skewWall(-30_000);
      clock.advance(5_000);
      const again = await there.sessions.refresh(refreshToken);
      expect(again.refreshToken).toBe(first.refreshToken);
    });

    it('reuse reports tell an orphaned and a stale token apart', async () => {
      const told: AuthEvent[] = [];
      here.app.get(AuthEvents).subscribe((event) => told.push(event));
      for (const steps of [2, 3]) {
        const { refreshToken } = await login();
        let token = refreshToken;
        for (let step = 0; step < steps; step++) {
          token = (await there.sessions.refresh(token)).refreshToken ?? '';
        }
        clock.advance(11_000);
        expect(await refusalOf(here.sessions.refresh(refreshToken))).toContain('reused');
      }
      const classes = told
        .filter(({ type }) => type === 'refresh_reused')
        .map(({ reuse }) => reuse);
      expect(classes).toEqual(['orphaned', 'stale']);
    });

    it('without a grace the second use ends the session, after the allowed retries', async () => {
      const pair = await startApart({ refreshGrace: 0 });
      const { refreshToken } = await login();
      await here.sessions.refresh(refreshToken);
      expect(await refusalOf(there.sessions.refresh(refreshToken))).toContain('reused');
      await pair.restart({ refreshGrace: '10s', refreshGraceRetries: 2 });
      use(pair);
      const { refreshToken: other } = await login('bob');
      for (let use = 0; use < 3; use++) await here.sessions.refresh(other);
      expect(await refusalOf(here.sessions.refresh(other))).toContain('reused');
    });

    it('RT-09: a session ends by itself: idle, or at its absolute expiry, which no refresh moves', async () => {
      await startApart({ sessionTtl: '30d', sessionIdleTtl: '7d', historyFor: '366d' });
      const idle = await login('idle');
      let busy = await login('busy');
      for (let day = 6; day < 30; day += 6) {
        clock.advance(6 * DAY);
        busy = (await here.sessions.refresh(busy.refreshToken)) as Required<LoginResult>;
      }
      expect(await refusalOf(here.sessions.refresh(idle.refreshToken))).toBe(
        'refresh_token_expired',
      );
      expect(await here.sessions.list('idle')).toEqual([]);
      expect(await here.sessions.list('busy')).toHaveLength(1);
      expect(busy.refreshExpiresIn).toBe((6 * DAY) / 1000);
      clock.advance(6 * DAY);
      expect(await refusalOf(here.sessions.refresh(busy.refreshToken))).toBe(
        'refresh_token_expired',
      );
    });

    it('RT-08: a session that was logged out gets no grace', async () => {
      const { refreshToken, accessToken } = await login();
      const { refreshToken: successor } = await here.sessions.refresh(refreshToken);
      await there.logout.logout(accessToken);
      for (const token of [refreshToken, successor ?? '']) {
        expect(await refusalOf(here.sessions.refresh(token))).toBe('session_ended: logout');
      }
    });

    it('a logout with the refresh token ends the session like one with the access token', async () => {
      const { refreshToken, accessToken } = await login();
      await here.logout.logout(refreshToken);
      expect(await here.judge(accessToken)).toBe('session_ended');
      await here.logout.logout(refreshToken);
      expect(await refusalOf(here.sessions.refresh(refreshToken))).toBe('session_ended: logout');
    });

    it('C5: a session ends at the commit of the transaction that logged it out', async () => {
      const { refreshToken, accessToken } = await login();
      await here.dataSource.transaction((manager) => here.logout.logout(accessToken, { manager }));
      expect(await refusalOf(there.sessions.refresh(refreshToken))).toBe('session_ended: logout');
    });

    it('RT-13: a refresh consumes nothing when the claims cannot be read', async () => {
      const { refreshToken } = await login();
      claims = () => {
        throw new TypeError('the directory is away');
      };
      await expect(here.sessions.refresh(refreshToken)).rejects.toThrow('the directory is away');
      claims = () => ({ role });
      expect(await refusalOf(there.sessions.refresh(refreshToken))).toBe('refreshed');
    });

    it('RT-11: a refresh is refused to another client or another transport, and its own client can still refresh', async () => {
      const first = await here.sessions.login(() => ({ subject: alice }), { client: 'web' });
      const token = first?.refreshToken ?? '';
      expect(await refusalOf(here.sessions.refresh(token, { client: 'tv' }))).toBe(
        'refresh_token_invalid',
      );
      expect(await refusalOf(here.sessions.refresh(token, { delivery: 'cookie' }))).toBe(
        'refresh_token_invalid',
      );
      expect(await refusalOf(here.sessions.refresh(token, { client: 'web' }))).toBe('refreshed');
    });

    it('RT-02, RT-07: nothing in the database can be used as a token', async () => {
      await startApart();
      const { refreshToken } = await login();
      const { refreshToken: successor } = await here.sessions.refresh(refreshToken);
      const rows = (await here.dataSource.query('SELECT * FROM auth_refresh')) as object[];
      const dump = rows
        .flatMap((row) => Object.values(row) as unknown[])
        .map((value) => (Buffer.isBuffer(value) ? value.toString('latin1') : String(value)))
        .join('\n');
      for (const token of [refreshToken, successor ?? '']) {
        expect(dump).not.toContain(token);
        expect(dump).not.toContain(Buffer.from(token, 'base64url').toString('latin1'));
      }
      clock.advance(11_000);
      await here.sessions.refresh(successor ?? '');
      const kept = (await here.dataSource.query(
        'SELECT sealed_successor FROM auth_refresh WHERE sealed_successor IS NOT NULL',
      )) as unknown[];
      expect(kept).toHaveLength(1);
    });

    it.each([
      ['an unknown one', 'A'.repeat(43)],
      ['an empty one', ''],
      ['an access token', 'eyJhbGciOiJIUzI1NiJ9.e30.AAAA'],
      ['another spelling of its last character', `${'A'.repeat(42)}B`],
      ['10 MB', 'A'.repeat(10_000_000)],
    ])('a refresh refuses %s as invalid', async (_, token) => {
      expect(await refusalOf(here.sessions.refresh(token))).toBe('refresh_token_invalid');
    });

    it('H1: a refresh refuses what this instance knows, even if a fail-over has lost it', async () => {
      await startApart();
      const { refreshToken, accessToken } = await login();
      await here.logout.logout(accessToken);
      // What a standby looks like that was promoted without the last commits.
      await here.dataSource.query('DELETE FROM auth_event');
      await here.dataSource.query('UPDATE auth_head SET position = 0, last_event_id = NULL');
      await here.dataSource.query('UPDATE auth_session SET ended_at = NULL, end_reason = NULL');
      expect(await refusalOf(here.sessions.refresh(refreshToken))).toBe('session_ended: logout');
      const { refreshToken: other } = await login('bob');
      expect(await refusalOf(here.sessions.refresh(other))).toBe('refreshed');
    });

    it('a refresh carries the new role after claimsChanged, without a password', async () => {
      const pair = await startApart();
      const first = await login();
      role = 'admin';
      await here.app.get(AccountService).claimsChanged(alice);
      await pair.restart();
      use(pair);
      expect(await here.judge(first.accessToken)).toBe('session_ended');
      const second = await there.sessions.refresh(first.refreshToken);
      expect(claimsIn(second.accessToken)).toMatchObject({ role: 'admin' });
      expect(await here.judge(second.accessToken)).toBe('active');
    });
  });
});
