import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { AccountService } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { type EventDraft, EventKeys, newEventId, SessionStore } from '../../support/internals.js';
import { claimsIn } from '../../support/log-tables.js';
import { codeOf, login } from '../../support/session-acts.js';

const ISSUER = 'https://issuer.test';
const HOUR = 3_600_000;
const keys = new EventKeys(ISSUER);
const ALICE = { kind: 'subject', key: keys.hex('subject', ISSUER, 'alice') } as const;
const EVERYONE = { kind: 'issuer', key: keys.hex('issuer', ISSUER, '') } as const;

/**
 * An act whose COMMIT was not answered is settled later below the position that it had first (G3). So what
 * it does to a session may not raise the highest cut-off of its account.
 */
describeOn(databaseKinds, 'an event that settles while a refresh asks for its claims', (kind) => {
  let database: TestDatabase;
  let clock: TestClock;
  let here: Instance;
  /** What it does is known to the database alone. */
  let there: Instance;
  let asked: number;
  let meanwhile: () => unknown;

  beforeEach(async () => {
    database = await kind.migrated();
    clock = new TestClock();
    asked = 0;
    meanwhile = () => undefined;
    const claims = async (_: string, { on }: { on: string }): Promise<object> => {
      if (on !== 'refresh') return {};
      asked++;
      const act = meanwhile;
      meanwhile = () => undefined;
      await act();
      return {};
    };
    here = await startInstance(database, { clock, options: { claims } as never });
    there = await startInstance(database, { clock });
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await here?.close();
    await there?.close();
    await database?.drop();
  });

  const settle = async (
    act: Pick<EventDraft, 'kind' | 'key' | 'killsBelow'> & Partial<EventDraft>,
  ): Promise<void> => {
    const draft: EventDraft = {
      id: newEventId(clock.wall()),
      except: null,
      accessOnly: false,
      expiresAt: null,
      life: HOUR,
      skew: 0,
      reason: 'administrator',
      actor: null,
      attemptedAt: act.killsBelow,
      provenAbsent: false,
      ...act,
    };
    const { database: log, transactions } = await there.open();
    await log.transaction(() => transactions.append([draft], true));
  };
  /** A session with its position and its key. */
  const session = async () => {
    const given = await login(here, 'alice');
    const { gen } = claimsIn(given.accessToken) as { gen: number };
    return { ...given, gen, key: keys.hex('session', ISSUER, given.sessionId) };
  };
  const refreshDuring = (token: string, act: () => unknown): Promise<string> => {
    meanwhile = act;
    return codeOf(here.sessions.refresh(token));
  };

  it.each([
    ['a lock', { lockFor: HOUR }, 'account_locked'],
    ['a disabled account', { disable: true }, 'account_disabled'],
  ])(
    'a refresh is refused: %s that settles meanwhile, below a cut-off that the session came after',
    async (_, account, code) => {
      await there.logout.logoutAll('alice');
      const { refreshToken, gen: killsBelow } = await session();
      const late = { ...ALICE, killsBelow, account };
      expect(await refreshDuring(refreshToken, () => settle(late))).toBe(code);
    },
  );

  it.each([
    ['the account', ALICE, ALICE],
    ['the issuer', EVERYONE, EVERYONE],
    ['the account, below one of the issuer', EVERYONE, ALICE],
    ['the issuer, below one of the account', ALICE, EVERYONE],
  ])(
    'a refresh ends its session: a cut-off of %s that settles meanwhile, below one that spares it',
    async (_, first, second) => {
      const { refreshToken, gen, key: except } = await session();
      await settle({ ...first, killsBelow: gen + 1, except });
      const late = { ...second, killsBelow: gen + 1 };
      expect(await refreshDuring(refreshToken, () => settle(late))).toBe('session_ended');
      expect(await codeOf(here.sessions.refresh(refreshToken))).toBe('session_ended');
    },
  );

  it('a refresh asks for claims again if a cut-off that spares the session settles meanwhile', async () => {
    const { refreshToken, sessionId: keepSession } = await session();
    const change = (): unknown =>
      there.app.get(AccountService).passwordChanged('alice', { keepSession });
    expect(await refreshDuring(refreshToken, change)).toBe('good');
    expect(asked).toBe(2);
  });

  it('a refresh needs no steps for cut-offs that spare the session, or for a lock that is over', async () => {
    const { refreshToken, gen, key: except } = await session();
    await settle({ ...ALICE, killsBelow: gen, account: { lockFor: HOUR } });
    await settle({ ...ALICE, killsBelow: gen + 1, except });
    clock.advance(2 * HOUR);
    const steps = jest.spyOn(here.app.get(SessionStore, { strict: false }), 'write');
    const spared = { ...ALICE, killsBelow: gen + 1, except };
    expect(await refreshDuring(refreshToken, () => settle(spared))).toBe('good');
    expect(steps).not.toHaveBeenCalled();
  });
});
