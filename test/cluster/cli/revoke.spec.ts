import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { LoginContext } from 'nestjs-logout';
import {
  databaseKinds,
  describeOn,
  serverKinds,
  type TestDatabase,
} from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { COMMIT, TcpProxy } from '../../support/tcp-proxy.js';
import { type EventRow, loseCommit, readEvents, reconnect } from '../../support/log-tables.js';
import { run, runJson } from '../../support/command.js';

interface Receipt {
  readonly events: readonly {
    readonly kind: string;
    readonly position: number;
    readonly id: string;
  }[];
  readonly effectiveEverywhereWithin: number | null;
}

/** The revoked events; on SQLite every command that writes jumps first (H3). */
async function revoked(here: Instance): Promise<EventRow[]> {
  return (await readEvents(here.dataSource)).filter(({ kind }) => kind !== 'history');
}

const ISSUER = 'https://issuer.test';

describe('nestjs-logout revoke', () => {
  let database: TestDatabase;
  let here: Instance;

  afterEach(async () => {
    await here?.close();
    await database?.drop();
  });

  describeOn(databaseKinds, 'on a log that an instance follows', (kind) => {
    beforeEach(async () => {
      database = await kind.migrated();
      here = await startInstance(database, {
        options: {
          foreign: [{ issuer: 'https://foreign.test', maxTokenLife: '1h', maxSessionLife: '30d' }],
        },
      });
    });

    const login = async (
      subject: string,
      context?: LoginContext,
    ): Promise<{ token: string; sid: string; refresh: string }> => {
      const result = await here.sessions.login(async () => ({ subject }), context);
      return {
        token: result?.accessToken ?? '',
        sid: result?.sessionId ?? '',
        refresh: result?.refreshToken ?? '',
      };
    };
    /** What the instance makes of a token once it has asked the database. */
    const judge = async (token: string): Promise<string> => {
      await here.feed.strictProof(60_000);
      return here.judge(token);
    };

    it('--session ends that login and its refresh token, and no other login', async () => {
      const [one, other] = [await login('alice'), await login('alice')];
      const receipt = await runJson<Receipt>(database, `revoke --session ${one.sid} --actor ops`);
      expect(receipt).toMatchObject({
        code: 0,
        events: [{ kind: 'session', position: expect.any(Number) }],
        effectiveEverywhereWithin: 5,
      });
      expect(await judge(one.token)).toBe('session_ended');
      expect(await judge(other.token)).toBe('active');
      await expect(here.sessions.refresh(one.refresh)).rejects.toMatchObject({
        code: 'session_ended',
      });
      const [row] = (await here.dataSource.query(
        `SELECT actor FROM auth_event WHERE kind = 'session'`,
      )) as unknown[];
      expect(row).toEqual({ actor: 'ops' });
    });

    it('--token-id revokes one token until its expiry', async () => {
      const { token } = await login('alice');
      const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
        jti: string;
        exp: number;
      };
      await run(database, `revoke --token-id ${claims.jti} --expires ${claims.exp}`);
      expect(await judge(token)).toBe('token_revoked');
      const [event] = await revoked(here);
      expect(event?.until).toBe(claims.exp * 1000 + 120_000);
    });

    it('--token-id without --expires revokes the token for the longest lifetime of an API token', async () => {
      const { position, now } = await here.sessions.position();
      expect(await runJson(database, `revoke --token-id ${randomUUID()}`)).toMatchObject({
        code: 0,
      });
      const event = (await revoked(here)).find((each) => each.position > position);
      expect(event?.until ?? 0).toBeGreaterThan(now + 366 * 86_400_000);
    });

    it('--subject --except spares that session, and --lock-for refuses the next login', async () => {
      const [one, other] = [await login('alice'), await login('alice')];
      await run(database, `revoke --subject alice --except ${other.sid}`);
      expect([await judge(one.token), await judge(other.token)]).toEqual([
        'session_ended',
        'active',
      ]);
      await run(database, 'revoke --subject alice --lock-for 15m --reason account_locked');
      expect(await judge(other.token)).toBe('account_locked');
      await expect(login('alice')).rejects.toMatchObject({ code: 'account_locked' });
    });

    it('--client ends the sessions of that client, and --grant those of that grant', async () => {
      const [tv, web] = [
        await login('alice', { client: 'tv' }),
        await login('alice', { client: 'web', grant: 'g1' }),
      ];
      const ofBob = await login('bob', { client: 'tv', grant: 'g1' });
      const client = await runJson(database, 'revoke --subject alice --client tv --actor ops');
      expect(client).toMatchObject({ code: 0, sessions: 1, events: [{ kind: 'subject' }] });
      expect([await judge(tv.token), await judge(web.token)]).toEqual(['session_ended', 'active']);
      const { code, stdout } = await run(database, 'revoke --grant g1');
      expect([code, stdout]).toEqual([0, expect.stringContaining('2 sessions ended')]);
      expect([await judge(web.token), await judge(ofBob.token)]).toEqual([
        'session_ended',
        'session_ended',
      ]);
      expect(await runJson(database, 'revoke --grant g1')).toMatchObject({ code: 0, sessions: 0 });
    });

    it('--everyone asks for --yes, and then ends everything that was issued before', async () => {
      const before = await login('alice');
      const asked = await run(database, 'revoke --everyone');
      expect([asked.code, asked.stdout]).toEqual([2, '']);
      expect(asked.stderr).toContain('--yes');
      expect(await judge(before.token)).toBe('active');
      expect((await run(database, 'revoke --everyone --yes')).code).toBe(0);
      expect(await judge(before.token)).toBe('token_revoked');
      expect(await judge((await login('alice')).token)).toBe('active');
    });

    it('revoke refuses an issuer that no instance has, because nothing would be ended', async () => {
      const slip = await run(database, 'revoke --subject alice --issuer https://isuer.test');
      expect(slip.code).toBe(2);
      expect(slip.stderr).toMatch(/they have https:\/\/issuer\.test/);
      expect(await revoked(here)).toEqual([]);
    });

    it('--foreign ends the id of a foreign issuer, and not the same id of ours', async () => {
      const sid = randomUUID();
      const words = `revoke --session ${sid} --issuer https://foreign.test --foreign`;
      const without = await run(database, words);
      expect([without.code, without.stderr]).toEqual([2, expect.stringContaining('--keep-for')]);
      expect((await run(database, `${words} --keep-for 30d`)).code).toBe(0);
      const [event] = await revoked(here);
      expect((event?.until ?? 0) - (event?.createdAt ?? 0)).toBeGreaterThan(30 * 86_400_000);
      await here.feed.strictProof(60_000);
      expect(here.index.find({ iss: 'https://foreign.test', sid })).toBeDefined();
      expect(here.index.find({ iss: ISSUER, sid })).toBeUndefined();
    });

    it('revoke-key reports the counts, then refuses the key, and ends its sessions only with the option for it', async () => {
      const { token, refresh } = await login('alice');
      const header = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as {
        kid: string;
      };
      const words = `revoke-key --kid ${header.kid}`;
      expect(await runJson(database, `${words} --dry-run`)).toMatchObject({ code: 0, sessions: 1 });
      expect((await run(database, words)).code).toBe(2);
      expect(await judge(token)).toBe('active');
      expect(await runJson(database, `${words} --sessions --yes`)).toMatchObject({ sessions: 1 });
      expect(await judge(token)).toBe('key_revoked');
      await expect(here.sessions.refresh(refresh)).rejects.toMatchObject({ code: 'session_ended' });
    });

    it('revoke-key --issuer --foreign refuses the key of another issuer', async () => {
      const words = 'revoke-key --kid theirs --issuer https://foreign.test';
      const slip = await run(database, `${words} --yes`);
      expect([slip.code, slip.stderr]).toEqual([2, expect.stringContaining('--foreign')]);
      expect(await revoked(here)).toEqual([]);
      const { code, stdout } = await run(database, `${words} --foreign --yes`);
      expect(code).toBe(0);
      expect(stdout).toContain('of every issuer');
      expect(await revoked(here)).toHaveLength(2);
      await here.feed.strictProof(60_000);
      const claims = { iss: 'https://foreign.test', sub: 'x', jti: randomUUID() };
      expect(await here.revocation.decide(claims, { kid: 'theirs' })).toMatchObject({
        kind: 'key',
      });
      expect(await here.revocation.decide(claims, { kid: 'other' })).toEqual({ state: 'active' });
    });
  });

  describeOn(databaseKinds, 'with arguments that make no sense', (kind) => {
    let log: TestDatabase;
    let instance: Instance;

    beforeAll(async () => {
      log = await kind.migrated();
      instance = await startInstance(log);
    });

    afterAll(async () => {
      await instance?.close();
      await log?.drop();
    });

    it.each([
      ['nothing', 'revoke', 'exactly one of'],
      [
        'a foreign key and our sessions',
        'revoke-key --kid a --foreign --sessions',
        '--foreign does',
      ],
      ['two things', 'revoke --session a --subject b', 'exactly one of'],
      ['--client alone', 'revoke --client tv', 'exactly one of'],
      ['--client and a session', 'revoke --session a --client tv', '--client only goes with'],
      ['--client and a lock', 'revoke --subject a --client tv --lock-for 1h', 'does not go with'],
      ['a grant of others', 'revoke --grant a --foreign --keep-for 1d', '--foreign does not go'],
      ['--except alone', 'revoke --session a --except b', '--except only goes with --subject'],
      ['a reason of its own', 'revoke --session a --reason because', 'Allowed choices are'],
      [
        'a duration without a unit',
        'revoke --subject a --lock-for soon',
        "option '--lock-for <duration>' argument 'soon' is invalid",
      ],
      ['a made-up id', 'revoke --session a --id 7', '--id takes what an earlier run printed'],
    ])('revoke with %s is wrong usage, and writes nothing', async (_, words, says) => {
      const { code, stderr } = await run(log, words);
      expect(stderr).toContain(says);
      expect(code).toBe(2);
      expect(await revoked(instance)).toEqual([]);
    });
  });

  describeOn(serverKinds, 'when the answer to COMMIT is lost', (kind) => {
    let proxy: TcpProxy;
    let through: TestDatabase;

    beforeEach(async () => {
      database = await kind.migrated();
      ({ proxy, through } = await TcpProxy.before(database));
      here = await startInstance(database);
    });

    afterEach(async () => {
      await proxy?.close();
    });

    it('revoke settles a lost COMMIT by itself when the database is back, with one event', async () => {
      const lost = proxy.next(COMMIT, 'swallow answer');
      expect((await run(through, 'revoke --subject alice')).code).toBe(0);
      await lost;
      expect(await revoked(here)).toHaveLength(1);
    });

    it('revoke reports an unknown outcome and how to run it again, and the second run writes one event', async () => {
      const running = run(through, 'revoke --subject alice');
      await loseCommit(proxy, 'swallow answer');
      const first = await running;
      expect(first.code).toBe(1);
      const id = /It is not known whether[^]*--id (\S+) added/.exec(first.stderr)?.[1] ?? '';
      expect(id).toMatch(/^[0-9a-f]{32}@1$/);
      await reconnect(proxy, here);
      const again = await runJson<Receipt>(through, `revoke --subject alice --id ${id}`);
      expect(again).toMatchObject({ code: 0, events: [{ position: 1, id: id.split('@')[0] }] });
      expect(await revoked(here)).toHaveLength(1);
    });

    it('a second run of revoke after a lost write ends no login that started in between', async () => {
      const one = await here.login('alice'); // gen 0
      await here.logout.logoutSession('unrelated'); // position 1
      const since = await here.login('alice'); // gen 1
      const id = `${'0'.repeat(31)}7@1`;
      expect((await run(through, `revoke --subject alice --id ${id}`)).code).toBe(0);
      await here.feed.strictProof(60_000);
      expect([await here.judge(one), await here.judge(since)]).toEqual(['session_ended', 'active']);
    });
  });
});
