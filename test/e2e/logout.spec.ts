import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { createApp } from '../../sample/01-quickstart/create-app.js';
import { readSettings } from '../../sample/01-quickstart/settings.js';
import { databaseKinds, describeOn, type TestDatabase } from '../support/databases.js';
import { fetchOnce } from '../support/fetch-once.js';

const PASSWORD = 'correct horse battery staple';

for (const platform of ['express', 'fastify'] as const) {
  describeOn(databaseKinds, `the quick-start with ${platform}`, (kind) => {
    let database: TestDatabase;
    let app: INestApplication;
    let url: string;

    beforeAll(async () => {
      database = await kind.migrated();
      app = await createApp(
        readSettings({
          DATABASE_URL: database.url,
          PLATFORM: platform,
          AUTH_SECRET: 'a secret of the tests: 32 bytes or more',
        }),
      );
      await app.listen(0, '127.0.0.1');
      url = await app.getUrl();
    });

    afterAll(async () => {
      await app?.close();
      await database?.drop();
    });

    const login = async (username: string): Promise<string> => {
      const response = await fetchOnce(`${url}/auth/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ username, password: PASSWORD }),
      });
      expect(response.status).toBe(200);
      return ((await response.json()) as { access_token: string }).access_token;
    };
    const call = (path: string, token: string, method = 'GET'): Promise<Response> =>
      fetchOnce(url + path, { method, headers: { authorization: `Bearer ${token}` } });

    it('a user logs in, reads, logs out, and is refused', async () => {
      const token = await login('alice');
      expect((await call('/me', token)).status).toBe(200);
      expect((await call('/auth/logout', token, 'POST')).status).toBe(204);
      const refused = await call('/me', token);
      expect(refused.status).toBe(401);
      expect(refused.headers.get('www-authenticate')).toContain('error="invalid_token"');
      expect(await refused.json()).toMatchObject({ code: 'session_ended', reason: 'logout' });
      expect((await call('/auth/logout', token, 'POST')).status).toBe(204);
    });

    it('a user logs out the other devices, and then all', async () => {
      const [phone, laptop] = [await login('bob'), await login('bob')];
      expect((await call('/auth/logout-others', laptop, 'POST')).status).toBe(204);
      expect((await call('/me', phone)).status).toBe(401);
      expect((await call('/me', laptop)).status).toBe(200);
      const tablet = await login('bob');
      expect((await call('/me', tablet)).status).toBe(200);
      expect((await call('/auth/logout-all', tablet, 'POST')).status).toBe(204);
      expect((await call('/me', laptop)).status).toBe(401);
      expect((await call('/me', tablet)).status).toBe(401);
      expect((await call('/me', await login('bob'))).status).toBe(200);
    });
  });
}
