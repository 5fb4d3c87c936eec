import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { AuthUnavailableException, type TokenClaims } from 'nestjs-logout';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { eventually } from '../../support/eventually.js';
import { type Instance, startInstance } from '../../support/instance.js';

const MANY = 2_000;
const OWN = 'https://issuer.test';
const PARTNER = 'https://partner.test';

describeOn(databaseKinds, 'P8 exact', (kind) => {
  let database: TestDatabase;
  let writer: Instance;
  let follower: Instance;

  beforeAll(async () => {
    database = await kind.migrated();
    const options = {
      foreign: [{ issuer: PARTNER, maxTokenLife: '1h', maxSessionLife: '1d' }],
    } as const;
    writer = await startInstance(database, { options });
    follower = await startInstance(database, { options });
  });

  afterAll(async () => {
    await Promise.all([writer?.close(), follower?.close()]);
    await database?.drop();
  });

  const now = Math.floor(Date.now() / 1000);
  const claimsOf = (sub: string, iss = OWN): TokenClaims => ({
    iss,
    sub,
    sid: randomUUID(),
    jti: randomUUID(),
    gen: 0,
    iat: now,
    exp: now + 600,
  });
  const isActive = async ({ revocation }: Instance, claims: TokenClaims): Promise<boolean> => {
    let state = 'unknown';
    await eventually(async () => {
      ({ state } = await revocation.decide(claims, { freshness: 'strict' }));
      return state !== 'unknown';
    });
    return state === 'active';
  };
  /** As a client does that gets 503: on a busy machine thousands at once may wait for too long. */
  const untilStored = (act: () => Promise<unknown>): Promise<void> =>
    eventually(async () => {
      try {
        await act();
        return true;
      } catch (error) {
        if (error instanceof AuthUnavailableException) return false;
        throw error;
      }
    });

  it('2,000 tokens stay valid while 2,000 others of the same accounts are revoked', async () => {
    const ended = Array.from({ length: MANY }, (_, index) => claimsOf(`account ${index}`));
    const spared = ended.map(({ sub }) => claimsOf(sub));
    const away = ended.filter((_, index) => index % 10 === 0).map(({ sub }) => `no ${sub}`);
    await Promise.all([
      ...ended.map((claims) => untilStored(() => writer.logout.logout(claims))),
      ...away.map((subject) =>
        untilStored(() => writer.logout.logoutAll(subject, { issuer: OWN })),
      ),
    ]);
    for (const instance of [writer, follower]) {
      await eventually(() => instance.feed.strictProof());
      const good = await Promise.all(spared.map((claims) => isActive(instance, claims)));
      expect(good.filter((active) => !active)).toHaveLength(0);
      const bad = await Promise.all(ended.map((claims) => isActive(instance, claims)));
      expect(bad.filter((active) => active)).toHaveLength(0);
    }
  });

  it('two issuers use the same ids, and revoking the token of one spares the other', async () => {
    const ours = claimsOf('shared');
    const { sid: _, gen: __, ...foreign } = { ...ours, iss: PARTNER };
    await writer.logout.logout(foreign);
    await follower.feed.strictProof();
    for (const instance of [writer, follower]) {
      expect(await isActive(instance, foreign)).toBe(false);
      expect(await isActive(instance, ours)).toBe(true);
    }
    // The same text in another place is another id: a sid is no jti, and no subject.
    const session = claimsOf('shared');
    await writer.logout.logoutSession(session.sid ?? '', { issuer: OWN });
    await follower.feed.strictProof();
    for (const instance of [writer, follower]) {
      expect(await isActive(instance, session)).toBe(false);
      expect(await isActive(instance, { ...ours, jti: session.sid ?? '' })).toBe(true);
      expect(await isActive(instance, { ...ours, sub: session.sid ?? '' })).toBe(true);
      const theirs = { ...claimsOf('shared', PARTNER), sid: session.sid ?? '' };
      expect(await isActive(instance, theirs)).toBe(true);
    }
  });
});
