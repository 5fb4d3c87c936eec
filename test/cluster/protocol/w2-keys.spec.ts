import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { AuthException, type TokenClaims } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { readEvents } from '../../support/log-tables.js';

const OWN = 'https://issuer.test';
const FOREIGN = 'https://foreign.test';
const THIRD = 'https://third.test';

/** Pairs that some database, file system or language takes for the same. */
const LOOKALIKES: readonly (readonly [title: string, one: string, other: string])[] = [
  ['case', 'carol', 'Carol'],
  ['Unicode normalisation', 'Zo\u00eb', 'Zoe\u0308'],
  ['a trailing blank', 'alice', 'alice '],
  ['an accent', 'jose', 'jos\u00e9'],
  ['sharp s', 'stra\u00dfe', 'strasse'],
  ['a zero-width space', 'dave', 'da\u200bve'],
  ['a leading zero', '7', '07'],
];

describe('W2: a row is found by 16 bytes of kind, issuer and id', () => {
  describeOn(databaseKinds, 'the log', (kind) => {
    let database: TestDatabase;
    let writer: Instance;

    const start = (): Promise<Instance> =>
      startInstance(database, {
        clock: new TestClock(),
        options: {
          foreign: [FOREIGN, THIRD].map((issuer) => ({
            issuer,
            maxTokenLife: '15m' as const,
            maxSessionLife: '1h' as const,
          })),
        },
      });

    beforeAll(async () => {
      database = await kind.migrated();
      writer = await start();
    });

    afterAll(async () => {
      await writer?.close();
      await database?.drop();
    });

    const claims = (given: Partial<TokenClaims>): TokenClaims => {
      const iat = Math.floor(writer.clock.wall() / 1000);
      return { iss: OWN, sub: 'nobody', jti: randomUUID(), gen: 0, iat, exp: iat + 900, ...given };
    };
    /** What an instance says that knows only what the database kept. */
    const judgeCold = async (...asked: TokenClaims[]): Promise<string[]> => {
      const cold = await start();
      const verdicts = await Promise.all(
        asked.map((one) =>
          cold.revocation.assertActive(one, { kid: 'a key of theirs' }).then(
            () => 'active',
            (error: unknown) => (error instanceof AuthException ? error.code : String(error)),
          ),
        ),
      );
      await cold.close();
      return verdicts;
    };

    it('each kind of event has a key of 16 bytes', async () => {
      await writer.logout.logout(claims({ sid: randomUUID() }));
      await writer.logout.logout(claims({ jti: randomUUID() }));
      await writer.logout.logout(claims({ iss: FOREIGN, jti: 'x'.repeat(255) }));
      await writer.logout.logoutAll('\u{1f980}'.repeat(127), { issuer: OWN });
      await writer.logout.revokeKey('a key', { issuer: OWN });
      await writer.logout.revokeEveryone({ issuer: THIRD });
      const events = (await readEvents(writer.dataSource)).slice(-7);
      expect(events.map(({ kind: name }) => name)).toEqual([
        'session',
        'token',
        'token',
        'subject',
        'key',
        'key',
        'issuer',
      ]);
      for (const { key, id } of events) {
        expect(key).toMatch(/^[0-9a-f]{32}$/);
        expect(id).toMatch(/^[0-9a-f]{32}$/);
      }
    });

    it('the keys of two subjects differ, whatever makes their texts look alike', async () => {
      for (const [, one] of LOOKALIKES) await writer.logout.logoutAll(one, { issuer: OWN });
      const verdicts = await judgeCold(
        ...LOOKALIKES.flatMap(([, one, other]) => [claims({ sub: one }), claims({ sub: other })]),
      );
      LOOKALIKES.forEach(([title], n) => {
        expect([title, ...verdicts.slice(n * 2, n * 2 + 2)]).toEqual([
          title,
          'session_ended',
          'active',
        ]);
      });
    });

    it('the keys of sessions and foreign tokens differ, whatever makes their texts look alike', async () => {
      for (const [, one] of LOOKALIKES) {
        await writer.logout.logoutSession(one, { issuer: OWN });
        await writer.logout.logout(claims({ iss: FOREIGN, jti: one }));
      }
      const verdicts = await judgeCold(
        ...LOOKALIKES.flatMap(([, one, other]) => [
          claims({ sid: one }),
          claims({ sid: other }),
          claims({ iss: FOREIGN, gen: undefined, jti: one }),
          claims({ iss: FOREIGN, gen: undefined, jti: other }),
        ]),
      );
      LOOKALIKES.forEach(([title], n) => {
        expect([title, ...verdicts.slice(n * 4, n * 4 + 4)]).toEqual([
          title,
          'session_ended',
          'active',
          'token_revoked',
          'active',
        ]);
      });
    });

    it('the keys of two issuers with the same jti, sid or subject differ', async () => {
      const id = randomUUID();
      await writer.logout.logout(claims({ iss: FOREIGN, jti: id }));
      await writer.logout.logoutSession(id, { issuer: FOREIGN });
      await writer.logout.logoutAll(id, { issuer: FOREIGN });
      const foreign = claims({ iss: FOREIGN, gen: undefined });
      expect(
        await judgeCold(
          claims({ jti: id, sid: id, sub: id }),
          { ...foreign, jti: id },
          { ...foreign, sid: id },
          { ...foreign, sub: id },
        ),
      ).toEqual(['active', 'token_revoked', 'session_ended', 'session_ended']);
    });

    it('the keys of a jti and a sid with the same text differ', async () => {
      const id = randomUUID();
      await writer.logout.logoutSession(id, { issuer: OWN });
      expect(await judgeCold(claims({ jti: id }), claims({ sid: id }))).toEqual([
        'active',
        'session_ended',
      ]);
      await writer.logout.logout(claims({ jti: id }));
      const [session, token] = (await readEvents(writer.dataSource)).slice(-2);
      expect([session?.kind, token?.kind]).toEqual(['session', 'token']);
      expect(token?.key).not.toBe(session?.key);
    });
  });
});
