import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { randomUUID } from 'node:crypto';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { run } from '../../support/command.js';
import { follow, readEvents } from '../../support/log-tables.js';

const SHOP = 'https://shop.test';
const BANK = 'https://bank.test';
const PARTNER = 'https://partner.test';
const KID = '2026-10';

describeOn(databaseKinds, 'S10: two applications on one log, each with a key 2026-10', (kind) => {
  let database: TestDatabase;
  let shop: Instance;
  let bank: Instance;

  const start = (issuer: string, others: readonly string[]): Promise<Instance> =>
    startInstance(database, {
      keys: [{ kid: KID, alg: 'HS256', secret: `the secret of ${issuer}: 32 bytes or more` }],
      options: {
        issuer,
        foreign: others.map((other) => ({
          issuer: other,
          maxTokenLife: '1h',
          maxSessionLife: '30d',
        })),
      },
    });

  beforeEach(async () => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    database = await kind.migrated();
    [shop, bank] = [await start(SHOP, [BANK, PARTNER]), await start(BANK, [])];
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await shop?.close();
    await bank?.close();
    await database?.drop();
  });

  const raise = async (): Promise<void> => {
    expect((await run(database, 'raise-format 2 --yes')).code).toBe(0);
  };
  const kinds = async (): Promise<string[]> =>
    (await readEvents(shop.dataSource)).map((event) => event.kind);
  /** The decision about a token of each, by instances that followed and by those that start now. */
  const judge = async (tokens: readonly [string, string]): Promise<string[][]> => {
    await Promise.all([follow(shop), follow(bank)]);
    const [coldShop, coldBank] = [await start(SHOP, [BANK, PARTNER]), await start(BANK, [])];
    const pairs = [
      [shop, bank],
      [coldShop, coldBank],
    ] as const;
    const verdicts = await Promise.all(
      pairs.map(([ofShop, ofBank]) =>
        Promise.all([ofShop.judge(tokens[0]), ofBank.judge(tokens[1])]),
      ),
    );
    await Promise.all([coldShop.close(), coldBank.close()]);
    return verdicts;
  };
  /** What the shop makes of tokens of an issuer, with this kid or none. */
  const decide = async (iss: string, kid?: string): Promise<string> => {
    const claims = { iss, sub: 'alice', jti: randomUUID(), gen: undefined, iat: 1 };
    const verdict = await shop.revocation.decide(claims, { kid });
    return verdict.state === 'revoked' ? verdict.kind : verdict.state;
  };

  it('two issuers lose both keys below format 2, also after it was raised: an old event counts for every issuer', async () => {
    const tokens = [await shop.login('alice'), await bank.login('bob')] as const;
    const { events } = await shop.logout.revokeKey(KID);
    expect(events.map((event) => event.kind)).toEqual(['key', 'key']);
    expect(await judge(tokens)).toEqual([
      ['key_revoked', 'key_revoked'],
      ['key_revoked', 'key_revoked'],
    ]);
    for (const iss of [SHOP, BANK, PARTNER]) expect(await decide(iss)).toBe('key');
    await raise();
    expect(await judge(tokens)).toEqual([
      ['key_revoked', 'key_revoked'],
      ['key_revoked', 'key_revoked'],
    ]);
  });

  it('from format 2 on, each issuer loses only its own key', async () => {
    const tokens = [await shop.login('alice'), await bank.login('bob')] as const;
    await raise();
    const { events } = await bank.logout.revokeKey(KID);
    expect(events).toHaveLength(1);
    expect(await kinds()).toEqual(['key']);
    expect(await judge(tokens)).toEqual([
      ['active', 'key_revoked'],
      ['active', 'key_revoked'],
    ]);
    // The bank's tokens at the shop, with the kid and without one.
    expect(await decide(BANK, KID)).toBe('key');
    expect(await decide(BANK, 'another')).toBe('active');
    expect(await decide(BANK)).toBe('key');
    for (const iss of [SHOP, PARTNER]) {
      expect([iss, await decide(iss, KID), await decide(iss)]).toEqual([iss, 'active', 'active']);
    }
    expect(await shop.login('alice')).toEqual(expect.any(String));
    await expect(bank.login('bob')).rejects.toMatchObject({ code: 'no_signing_key' });
  });

  it('a purpose token of JwtService is refused only when its own key is revoked', async () => {
    const services = [shop, bank].map((each) => each.app.get(JwtService, { strict: false }));
    const mails = services.map((service) => service.sign({ purpose: 'mail' }));
    await raise();
    await shop.logout.revokeKey(KID);
    await Promise.all([follow(shop), follow(bank)]);
    expect(() => services[0]?.verify(mails[0] ?? '')).toThrow(
      expect.objectContaining({ code: 'key_revoked' }),
    );
    expect(services[1]?.verify(mails[1] ?? '')).toMatchObject({ purpose: 'mail' });
  });

  it('revokeKey() can revoke the key of another issuer by its name', async () => {
    await raise();
    await shop.logout.revokeKey('theirs', { issuer: PARTNER });
    expect(await decide(PARTNER, 'theirs')).toBe('key');
    expect(await decide(BANK, 'theirs')).toBe('active');
    expect(await decide(SHOP, 'theirs')).toBe('active');
  });
});
