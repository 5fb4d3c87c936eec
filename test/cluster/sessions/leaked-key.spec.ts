import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { KeyService, type LoginResult, type SecretKeyOptions, secretKid } from 'nestjs-logout';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { mintToken } from '../../support/mint-token.js';
import { codeOf, login } from '../../support/session-acts.js';

const HOUR = 3_600;

describe('a leaked key', () => {
  describeOn(databaseKinds, 'removing it', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let there: Instance;
    let keys: SecretKeyOptions[];
    let leaked: string;
    let next: string;

    beforeEach(async () => {
      [leaked, next] = [0, 1].map(() => randomBytes(32).toString('base64url')) as [string, string];
      keys = [{ alg: 'HS256', secret: leaked, kid: secretKid(leaked) }];
      database = await kind.migrated();
      here = await startInstance(database, { keys: () => keys });
      there = await startInstance(database, { keys: () => keys });
    });

    afterEach(async () => {
      await here?.close();
      await there?.close();
      await database?.drop();
    });

    const forged = (iat: number): string =>
      mintToken(
        {
          iss: 'https://issuer.test',
          aud: 'https://audience.test',
          iat,
          exp: iat + 900,
          sub: 'mallory',
          sid: randomUUID(),
        },
        leaked,
      );
    const strictly = (on: Instance, token: string): Promise<string> =>
      codeOf(on.tokens.verify(token, { freshness: 'strict' }));

    it('a leaked key is removed without a restart: no user has to log in again, and nothing it signed is accepted', async () => {
      const old = await login(here, 'alice');
      const now = Math.floor(Date.now() / 1000);
      expect(await strictly(there, forged(now))).toBe('good');

      // Rotation with overlap: the next key signs, the old one still verifies.
      keys = [{ alg: 'HS256', secret: next, kid: secretKid(next) }, ...keys];
      for (const instance of [here, there]) {
        await instance.app.get(KeyService).reload();
        await instance.app.get(KeyService).retire(secretKid(leaked));
      }
      const young = await login(there, 'bob');
      expect(await strictly(here, young.accessToken)).toBe('good');
      expect(await strictly(there, old.accessToken)).toBe('good');

      await there.logout.revokeKey(secretKid(leaked));
      for (const instance of [here, there]) {
        for (const iat of [now - HOUR / 4, now, now + 4]) {
          expect(await strictly(instance, forged(iat))).toBe('key_revoked');
        }
        expect(await strictly(instance, old.accessToken)).toBe('key_revoked');
        expect(await strictly(instance, young.accessToken)).toBe('good');
      }
      const renewed: LoginResult = await here.sessions.refresh(old.refreshToken);
      expect(renewed.sessionId).toBe(old.sessionId);
      expect(await strictly(there, renewed.accessToken)).toBe('good');
    });

    it('a refresh consumes no refresh token while no key may sign', async () => {
      const old = await login(here, 'alice');
      await here.logout.revokeKey(secretKid(leaked));
      expect(await codeOf(here.sessions.refresh(old.refreshToken))).toBe('no_signing_key');
      keys = [{ alg: 'HS256', secret: next, kid: secretKid(next) }];
      await here.app.get(KeyService).reload();
      expect(await codeOf(here.sessions.refresh(old.refreshToken))).toBe('good');
    });
  });
});
