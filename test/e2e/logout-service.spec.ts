import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../support/databases.js';
import { type Instance, startInstance } from '../support/instance.js';

describeOn(databaseKinds, 'LogoutService', (kind) => {
  const clock = new TestClock();
  let database: TestDatabase;
  let instance: Instance;

  beforeAll(async () => {
    database = await kind.migrated();
    instance = await startInstance(database, { clock, options: { maxStaleness: 4 } });
  });

  afterAll(async () => {
    await instance?.close();
    await database?.drop();
  });

  it('a logout returns a receipt: what ended, at which position, the bound, and until when it is kept', async () => {
    const token = await instance.login();
    const receipt = await instance.logout.logout(token, { actor: 'support' });
    expect(receipt.events).toEqual([
      {
        kind: 'session',
        position: expect.any(Number),
        id: expect.stringMatching(/^[0-9a-f]{32}$/),
      },
    ]);
    expect(receipt.effectiveEverywhereWithin).toBe(4);
    // The longest access token (15 min), and the margin of two minutes.
    expect(receipt.keptUntil?.getTime()).toBe(clock.database() + 900_000 + 120_000);
    await receipt.applied();
    expect(await instance.judge(token)).toBe('session_ended');
  });

  it('a logout can be repeated, also with an expired token', async () => {
    const token = await instance.login();
    await instance.logout.logout(token);
    clock.advance(901_000 + 5_000);
    await expect(instance.logout.logout(token)).resolves.toMatchObject({
      events: [{ kind: 'session' }],
    });
  });

  it('logoutOthers spares the caller’s session, logoutSession ends the named one', async () => {
    const [phone, laptop] = [await instance.login('bob'), await instance.login('bob')];
    await instance.logout.logoutOthers(laptop);
    expect(await instance.judge(phone)).toBe('session_ended');
    expect(await instance.judge(laptop)).toBe('active');
    const { sid } = await instance.tokens.verify(laptop);
    await instance.logout.logoutSession(sid as string);
    expect(await instance.judge(laptop)).toBe('session_ended');
  });

  it('logoutAll, revokeEveryone: earlier tokens are refused, later ones are accepted', async () => {
    const before = await instance.login('carol');
    await instance.logout.logoutAll('carol');
    const after = await instance.login('carol');
    expect(await instance.judge(before)).toBe('session_ended');
    expect(await instance.judge(after)).toBe('active');
    await instance.logout.revokeEveryone();
    expect(await instance.judge(after)).toBe('token_revoked');
    expect(await instance.judge(await instance.login('carol'))).toBe('active');
  });

  it.each([
    ['an empty subject', (to: Instance) => to.logout.logoutAll(''), 'invalid_subject'],
    ['a subject with NUL', (to: Instance) => to.logout.logoutAll('a\0'), 'invalid_subject'],
    ['a lone surrogate', (to: Instance) => to.logout.logoutAll('\ud800'), 'invalid_subject'],
    ['a subject of 256', (to: Instance) => to.logout.logoutAll('a'.repeat(256)), 'invalid_subject'],
    ['half a number', (to: Instance) => to.logout.logoutAll(1.5), 'invalid_subject'],
    ['an empty sid', (to: Instance) => to.logout.logoutSession(''), 'invalid_request'],
    ['an empty kid', (to: Instance) => to.logout.revokeKey(''), 'invalid_request'],
    ['null', (to: Instance) => to.logout.logout(null as never), 'nothing_to_revoke'],
    ['an empty text', (to: Instance) => to.logout.logout(''), 'token_malformed'],
    ['garbage', (to: Instance) => to.logout.logout('a.b.c'), 'token_malformed'],
    [
      'claims with neither sid nor jti',
      (to: Instance) => to.logout.logout({ iss: 'x', sub: 'x', iat: 1, exp: 2 }),
      'nothing_to_revoke',
    ],
    [
      'a reason of its own making',
      (to: Instance) => to.logout.logoutAll('dave', { reason: 'because' as never }),
      'invalid_request',
    ],
  ])('logout refuses %s and writes nothing', async (_, call, code) => {
    const { position } = await instance.sessions.position();
    await expect(call(instance)).rejects.toMatchObject({ code });
    expect((await instance.sessions.position()).position).toBe(position);
  });

  it.each([
    'NFC \u00e9',
    'NFD e\u0301',
    'ABC',
    'abc',
    'a',
    'a ',
    '__proto__',
    'constructor',
    '😀',
    '12',
  ])('logoutAll ends the account %j and no other', async (subject) => {
    const others = ['NFC e\u0301', 'NFD \u00e9', 'Abc', ' a', '__Proto__', '012', 'a  '];
    const token = await instance.login(subject);
    const spared = await Promise.all(others.map((other) => instance.login(other)));
    await instance.logout.logoutAll(subject);
    expect(await instance.judge(token)).toBe('session_ended');
    for (const other of spared) expect(await instance.judge(other)).toBe('active');
  });

  it('claims that look like secrets, or that the library sets itself, are not signed', async () => {
    for (const claims of [{ password: 'x' }, { card_number: '1' }, { apiKey: 'x' }, { sid: 'x' }]) {
      await expect(instance.sessions.login(() => ({ subject: 'erin', claims }))).rejects.toThrow(
        'claim',
      );
    }
  });
});
