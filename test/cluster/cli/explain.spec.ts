import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AccountService } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { run, runJson } from '../../support/command.js';
import { databaseKinds, describeOn, sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';

/** What `explain --json` prints. */
interface Explained {
  readonly claims: { readonly sub: string; readonly sid: string };
  readonly kid: string;
  readonly validUntil: string;
  readonly isExpired: boolean;
  readonly revokedBy: readonly { readonly kind: string; readonly actor: string | null }[];
}

describe('what is known about a token', () => {
  describeOn(databaseKinds, 'TokenService.explain() and nestjs-logout explain', (kind) => {
    let database: TestDatabase;
    let here: Instance;

    beforeEach(async () => {
      database = await kind.migrated();
      here = await startInstance(database, { clock: new TestClock() });
    });

    afterEach(async () => {
      await here?.close();
      await database?.drop();
    });

    const command = (token: string): Promise<Explained & { readonly code: number }> =>
      runJson(database, 'explain', { stdin: `${token}\n` });

    /** The kinds of what ended it, which API and command must agree on. */
    const endings = async (token: string): Promise<string[]> => {
      const { revokedBy } = await here.tokens.explain(token);
      const printed = await command(token);
      expect(printed.revokedBy).toEqual(
        revokedBy?.map((event) => ({ ...event, at: event.at.toISOString() })),
      );
      return revokedBy?.map((event) => event.kind) ?? ['unknown'];
    };

    it('explain reports until when a valid token is accepted, and that no event revoked it', async () => {
      const token = await here.login('alice');
      const explained = await here.tokens.explain(token);
      expect(explained).toMatchObject({
        accepted: true,
        code: null,
        claims: { sub: 'alice' },
        revokedBy: [],
        instance: { label: expect.stringMatching(/:\d+$/), position: here.cursor.position },
      });
      const { claims, kid, validUntil } = explained;
      expect(validUntil?.getTime()).toBe((claims?.exp ?? 0) * 1000);
      expect(await command(token)).toMatchObject({
        code: 0,
        claims: { sub: 'alice', sid: claims?.sid },
        kid,
        validUntil: validUntil?.toISOString(),
        revokedBy: [],
      });
    });

    it('explain names each event that revoked the token, with its writer, and no other event', async () => {
      const [token, other] = [await here.login('alice'), await here.login('alice')];
      await here.logout.logout(token, { actor: 'alice', reason: 'logout' });
      await here.logout.logoutAll('alice', { actor: 'dora', reason: 'password_changed' });
      // After it: neither a session nor a gen that this watermark revokes.
      const later = await here.login('alice');
      await here.logout.logoutAll('bob');
      const explained = await here.tokens.explain(token);
      expect(explained).toMatchObject({ accepted: false, code: 'session_ended' });
      expect(explained.revokedBy).toMatchObject([
        { kind: 'session', reason: 'logout', actor: 'alice', at: expect.any(Date) },
        { kind: 'subject', reason: 'password_changed', actor: 'dora' },
      ]);
      expect(await endings(token)).toEqual(['session', 'subject']);
      expect(await endings(other)).toEqual(['subject']);
      expect(await endings(later)).toEqual([]);
    });

    it('explain finds events of an account, of a key and of a whole issuer', async () => {
      const locked = await here.login('carol');
      await here.app.get(AccountService).lock('carol', '15m');
      expect(await here.tokens.explain(locked)).toMatchObject({ code: 'account_locked' });
      const token = await here.login('alice');
      const { kid } = await here.tokens.explain(token);
      await here.logout.revokeEveryone({ reason: 'everyone' });
      expect(await endings(token)).toEqual(['issuer']);
      expect(await endings(locked)).toEqual(['subject', 'issuer']);
      await here.logout.revokeKey(String(kid));
      expect(await here.tokens.explain(token)).toMatchObject({ code: 'key_revoked' });
      // Below format 2 of the log a revoked key has two events.
      expect(new Set(await endings(token))).toEqual(new Set(['issuer', 'key']));
    });

    it('explain shows the claims of an expired token', async () => {
      const token = await here.login('alice');
      (here.clock as TestClock).advance(3_600_000);
      await here.feed.strictProof(60_000);
      expect(await here.tokens.explain(token)).toMatchObject({
        accepted: false,
        code: 'token_expired',
        claims: { sub: 'alice' },
        revokedBy: [],
      });
    });

    it('explain trusts nothing in a text that is not a token', async () => {
      for (const [text, code] of [
        ['hello', 'token_malformed'],
        [undefined, 'token_missing'],
        [7, 'token_malformed'],
      ]) {
        expect(await here.tokens.explain(text as string)).toMatchObject({
          accepted: false,
          code,
          claims: null,
          kid: null,
          validUntil: null,
          revokedBy: null,
        });
      }
    });

    it('explain trusts nothing in a token that none of our keys signed', async () => {
      const token = await here.login('alice');
      const [header, payload] = token.split('.');
      const forged = [header, payload, 'A'.repeat(43)].join('.');
      expect(await here.tokens.explain(forged)).toMatchObject({
        code: 'token_invalid',
        claims: null,
        revokedBy: null,
      });
      expect(JSON.stringify(await here.tokens.explain(forged))).not.toContain(payload);
    });
  });

  it('the command refuses a text that is not a JWT as wrong usage', async () => {
    const ofClaims = (json: string): string => `a.${Buffer.from(json).toString('base64url')}.c`;
    const numbered = ['{"iss":7}', '{"iss":"a","jti":7}', '{"iss":"a","sub":null}'].map(ofClaims);
    for (const stdin of ['', 'hello', 'a.bnVsbA.c', ...numbered, 'x'.repeat(100_000)]) {
      const { code, stderr, stdout } = await run(undefined, 'explain', { stdin });
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain('no JWT');
    }
  });

  it('the command prints no control characters of a token', async () => {
    const { database, here } = await sqliteInstance();
    const claims = { iss: 'https://issuer.test', sub: '\u001b[31mred', exp: 1e300 };
    const stdin = `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c`;
    const { code, stdout } = await run(database, 'explain', { stdin });
    expect([code, stdout]).toEqual([0, expect.stringContaining('\\u{1b}[31mred')]);
    expect(stdout).toContain('never');
    await here.close();
    await database.drop();
  });
});

async function sqliteInstance(): Promise<{ database: TestDatabase; here: Instance }> {
  const database = await sqlite.migrated();
  return { database, here: await startInstance(database) };
}
