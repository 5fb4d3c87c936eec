import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AccountService, ApiTokenService, AuthException, AuthWiringError } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, sqlite, type TestDatabase } from '../../support/databases.js';
import { clockOf } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { newApiToken } from '../../support/internals.js';
import { follow } from '../../support/log-tables.js';
import { codeOf } from '../../support/session-acts.js';

const HOUR = 3_600_000;
const CHARACTER = { from: 'a', to: 'b' };

/** The token with another character at a place. */
function altered(token: string, place: number): string {
  const at = place < 0 ? token.length + place : place;
  const other = token[at] === CHARACTER.from ? CHARACTER.to : CHARACTER.from;
  return token.slice(0, at) + other + token.slice(at + 1);
}

type Broken = (token: string) => string;

const BROKEN: readonly (readonly [name: string, make: Broken, code: string])[] = [
  ['cut', (token) => token.slice(0, -1), 'token_malformed'],
  ['cut to its prefix', () => 'nlt_', 'token_malformed'],
  ['with one character more', (token) => `${token}0`, 'token_malformed'],
  ['altered in its checksum', (token) => altered(token, -1), 'token_malformed'],
  ['altered in its random part', (token) => altered(token, 10), 'token_malformed'],
  ['with a blank', (token) => `${token.slice(0, 9)} ${token.slice(10)}`, 'token_malformed'],
  ['with a lone surrogate', (token) => `${token.slice(0, -1)}\ud800`, 'token_malformed'],
  ['of another prefix', (token) => token.replace('nlt_', 'ghp_'), 'token_malformed'],
  ['without its prefix', (token) => token.slice(4), 'token_malformed'],
  ['in capitals', (token) => token.toUpperCase(), 'token_malformed'],
  ['as the payload of a JWT', (token) => `${token}.${token}.${token}`, 'token_malformed'],
  ['never issued', () => newApiToken('nlt_', undefined), 'token_invalid'],
];

describe('the text of an opaque token', () => {
  let database: TestDatabase;
  let here: Instance;

  beforeEach(async () => {
    database = await sqlite.migrated();
    here = await startInstance(database, {
      clock: new TestClock(),
      options: { apiTokens: true },
    });
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await here?.close();
    await database?.drop();
  });

  const issue = async (): Promise<string> =>
    (await here.app.get(ApiTokenService).issue('alice', { name: 'backup' })).token;

  it('an opaque token has a prefix, 192 random bits, and a checksum that needs no key', async () => {
    const [one, other] = [await issue(), await issue()];
    expect(one).toMatch(/^nlt_[\w-]{43}[0-9A-Za-z]{6}$/);
    expect(one.slice(4, 36)).not.toBe(other.slice(4, 36));
    // CRC-32 in base 62: this value was computed with another program.
    const known = newApiToken('nlt_', undefined);
    expect(known.slice(-6)).toMatch(/^[0-4][0-9A-Za-z]{5}$/);
  });

  it.each(BROKEN)('AT-02 %s: it is refused with a stable code', async (_, make, code) => {
    const token = await issue();
    const { database: connections } = await here.open();
    const reads = jest.spyOn(connections, 'read');
    expect(await here.judge(make(token))).toBe(code);
    expect(reads).toHaveBeenCalledTimes(code === 'token_malformed' ? 0 : 1);
    expect(await here.judge(token)).toBe('active');
  });

  it('AT-03 a flood of unknown tokens causes few statements, and valid tokens are still accepted', async () => {
    const own = await issue();
    const { database: connections } = await here.open();
    const reads = jest.spyOn(connections, 'read');
    const unknown = Array.from({ length: 2_000 }, () => newApiToken('nlt_', undefined));
    const codes = await Promise.all([...unknown, own].map((text) => here.judge(text)));
    expect(codes.pop()).toBe('active');
    const shed = codes.filter((code) => code === 'storage_unavailable').length;
    expect(codes.filter((code) => code === 'token_invalid')).toHaveLength(codes.length - shed);
    expect(shed).toBeGreaterThan(1_000);
    expect(reads.mock.calls.length).toBeLessThan(10);
  });

  it('the verifier of JwtAuthGuard refuses every opaque token, also a remembered one', async () => {
    const token = await issue();
    expect(await here.judge(token)).toBe('active');
    const other = await startInstance(database, { clock: new TestClock() });
    expect(await other.judge(token)).toBe('token_malformed');
    const call = other.app.get(ApiTokenService).issue('alice', { name: 'backup' });
    await expect(call).rejects.toThrow(AuthWiringError);
    await other.close();
  });
});

describe('API tokens of an account', () => {
  describeOn(databaseKinds, 'rows', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let tokens: ApiTokenService;

    beforeEach(async () => {
      database = await kind.migrated();
      here = await startInstance(database, {
        clock: new TestClock(),
        options: { apiTokens: { prefix: 'acme_' }, historyFor: '1h' },
      });
      tokens = here.app.get(ApiTokenService);
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      await here?.close();
      await database?.drop();
    });

    const rows = async (): Promise<Record<string, unknown>[]> =>
      (await here.dataSource.query('SELECT * FROM auth_api_token')) as Record<string, unknown>[];

    it('AT-01 an API token has the claims that it was issued with, and no row holds the token', async () => {
      const claims = { team: 'ops', nested: { a: [1, 'ü\u0000'] } };
      const { token, info } = await tokens.issue(7n, {
        name: 'Bäckup ✓',
        scopes: ['files:read', 'files:write', 'files:read'],
        expiresIn: '366d',
        claims,
      });
      const { now } = await here.sessions.position();
      expect(await here.tokens.verify(token)).toEqual({
        ...claims,
        iss: 'https://issuer.test',
        aud: 'https://audience.test',
        sub: '7',
        jti: info.id,
        gen: expect.any(Number),
        iat: Math.floor(now / 1000),
        exp: Math.floor((now + 366 * 86_400_000) / 1000),
        scope: 'files:read files:write',
      });
      const stored = JSON.stringify(await rows(), (_, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
      );
      expect(stored).not.toContain(token.slice(5, 20));
      expect(stored).not.toContain(Buffer.from(token.slice(5, 48), 'base64url').toString('latin1'));
      expect(info).toMatchObject({ name: 'Bäckup ✓', scopes: ['files:read', 'files:write'] });
      expect(JSON.stringify(await tokens.list(7n))).not.toContain(token.slice(5, 20));
    });

    it.each([
      ['no name', { name: '' }],
      ['a name of two lines', { name: 'a\nb' }],
      ['a name that is too long', { name: 'x'.repeat(256) }],
      ['a scope with a blank', { name: 'x', scopes: ['a b'] }],
      ['an empty scope', { name: 'x', scopes: [''] }],
      ['scopes that are no list', { name: 'x', scopes: 'all' as unknown as string[] }],
      ['scopes without end', { name: 'x', scopes: ['y'.repeat(9_000)] }],
      ['no lifetime', { name: 'x', expiresIn: 0 }],
      ['two years', { name: 'x', expiresIn: '732d' }],
      ['a bare number text', { name: 'x', expiresIn: '900' }],
    ])('%s: 400, and nothing is stored', async (_, given) => {
      expect(await codeOf(tokens.issue('alice', given))).toBe('invalid_request');
      expect(await rows()).toEqual([]);
    });

    it.each([
      ['a claim of the library', { sub: 'bob' }],
      ['the scope', { scope: 'all' }],
      ['a secret', { password: 'x' }],
      ['too much', { text: 'x'.repeat(9_000) }],
    ])('claims with %s are reported as an error of the application', async (_, claims) => {
      await expect(tokens.issue('alice', { name: 'x', claims })).rejects.toThrow(AuthWiringError);
    });

    it('API tokens are listed page by page, the newest first, only valid ones', async () => {
      const issued: string[] = [];
      for (let number = 0; number < 7; number++) {
        clockOf(here).advance(10);
        const expiresIn = number === 2 ? '10s' : '30d';
        const { info } = await tokens.issue('alice', { name: `no. ${number}`, expiresIn });
        issued.push(info.id);
      }
      await tokens.issue('bob', { name: 'of another account' });
      await tokens.revoke(issued[4] ?? '');
      clockOf(here).advance(11_000);
      await follow(here);
      const names: string[][] = [];
      for (let after: string | undefined; names.length < 9;) {
        const page = await tokens.list('alice', { limit: 2, after });
        names.push(page.map(({ name }) => name));
        if ((after = page.next) === undefined) break;
      }
      expect(names).toEqual([['no. 6', 'no. 5'], ['no. 3', 'no. 1'], ['no. 0']]);
      await here.logout.logoutAll('alice');
      expect(await tokens.list('alice')).toEqual([]);
      expect(await codeOf(tokens.list('alice', { limit: 0 }))).toBe('invalid_request');
      expect(await codeOf(tokens.list('alice', { after: 'x' }))).toBe('invalid_request');
    });

    it('only its owner can revoke an API token, by its id or its text', async () => {
      const { token, info } = await tokens.issue('alice', { name: 'backup' });
      for (const which of [token, info.id]) {
        expect(await codeOf(tokens.revoke(which, { subject: 'bob' }))).toBe('not_found');
      }
      for (const unknown of ['x', 'acme_x', newApiToken('acme_', undefined)]) {
        expect(await codeOf(tokens.revoke(unknown, { subject: 'alice' }))).toBe('not_found');
      }
      expect(await here.judge(token)).toBe('active');
      await tokens.revoke(token, { subject: 'alice', reason: 'administrator' });
      const refused = await here.tokens.verify(token).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(AuthException);
      expect(refused).toMatchObject({ code: 'token_revoked', reason: 'administrator' });
    });

    it('logout() with the text of an API token revokes it, and can be repeated', async () => {
      const { token } = await tokens.issue('alice', { name: 'backup' });
      const { events } = await here.logout.logout(token);
      expect(events).toMatchObject([{ kind: 'token' }]);
      expect(await here.judge(token)).toBe('token_revoked');
      expect((await here.logout.logout(token)).events).toEqual(events);
      expect(await here.tokens.explain(token)).toMatchObject({
        accepted: false,
        code: 'token_revoked',
        kid: null,
        revokedBy: [{ kind: 'token', reason: 'logout' }],
      });
    });

    it('a revocation in the caller’s transaction takes effect at the commit', async () => {
      const [kept, ended] = [
        await tokens.issue('alice', { name: 'kept' }),
        await tokens.issue('alice', { name: 'ended' }),
      ];
      if (kind.name === 'SQLite') return; // The gate of SQLite has its own tests.
      await here.dataSource
        .transaction(async (manager) => {
          await tokens.revoke(kept.info.id, { manager });
          throw new Error('Rolled back.');
        })
        .catch(() => undefined);
      await here.dataSource.transaction((manager) => tokens.revoke(ended.info.id, { manager }));
      await follow(here);
      expect([await here.judge(kept.token), await here.judge(ended.token)]).toEqual([
        'active',
        'token_revoked',
      ]);
    });

    it('the time of the last use is stored once an hour', async () => {
      const { token, info } = await tokens.issue('alice', { name: 'backup' });
      const lastUse = async (): Promise<number | undefined> =>
        (await tokens.list('alice'))[0]?.lastUsedAt?.getTime();
      expect(info.lastUsedAt).toBeNull();
      expect(await here.judge(token)).toBe('active');
      clockOf(here).advance(61_000);
      await eventually(async () => (await lastUse()) !== undefined);
      const first = await lastUse();
      await follow(here);
      expect(await here.judge(token)).toBe('active');
      clockOf(here).advance(61_000);
      await follow(here);
      expect(await lastUse()).toBe(first);
    });

    it('the next purge ends the row of a token that an event of another process revoked', async () => {
      const { info } = await tokens.issue('alice', { name: 'backup' });
      await here.log.append([{ kind: 'token', issuer: 'https://issuer.test', jti: info.id }]);
      expect((await rows())[0]?.['ended_at']).toBeNull();
      await eventually(async () => {
        await here.purge.purge();
        return (await rows())[0]?.['end_reason'] === 'unspecified';
      });
    });

    it('no row of a removed account is left', async () => {
      const { token } = await tokens.issue('alice', { name: 'backup' });
      await here.app.get(AccountService).remove('alice');
      expect(await rows()).toEqual([]);
      expect(await here.judge(token)).not.toBe('active');
      const next = await tokens.issue('alice', { name: 'of a new account' });
      expect(await here.judge(next.token)).toBe('active');
    });

    it('a row is deleted once it has been ended or expired for longer than historyFor', async () => {
      const [ended, , kept] = [
        await tokens.issue('alice', { name: 'ended' }),
        await tokens.issue('alice', { name: 'expired', expiresIn: '10m' }),
        await tokens.issue('alice', { name: 'kept' }),
      ];
      await tokens.revoke(ended.info.id);
      clockOf(here).advance(2 * HOUR);
      await eventually(async () => {
        await here.purge.purge();
        return (await rows()).length === 1;
      });
      await follow(here);
      expect((await tokens.list('alice')).map(({ id }) => id)).toEqual([kept.info.id]);
      expect(await here.judge(ended.token)).not.toBe('active');
    });
  });
});
