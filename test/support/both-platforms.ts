import type { INestApplication } from '@nestjs/common';
import { createApp } from '../../sample/01-quickstart/create-app.js';
import { readSettings } from '../../sample/01-quickstart/settings.js';
import { sqlite, type TestDatabase } from './databases.js';
import { QuickstartClient } from './quickstart-client.js';

/** The quick-start on one platform, in the process of the test. */
export interface Quickstart {
  readonly platform: 'express' | 'fastify';
  readonly client: QuickstartClient;
  readonly close: () => Promise<void>;
}

/** One quick-start on Express and one on Fastify, each with its own database. */
export async function startBoth(
  env: Readonly<Record<string, string>>,
): Promise<readonly [Quickstart, Quickstart]> {
  return [await start('express', env), await start('fastify', env)];
}

async function start(
  platform: Quickstart['platform'],
  env: Readonly<Record<string, string>>,
): Promise<Quickstart> {
  const database: TestDatabase = await sqlite.migrated();
  const settings = readSettings({ DATABASE_URL: database.url, PLATFORM: platform, ...env });
  const app: INestApplication = await createApp(settings, []);
  await app.listen(0, '127.0.0.1');
  return {
    platform,
    client: new QuickstartClient(await app.getUrl()),
    close: async () => {
      await app.close();
      await database.drop();
    },
  };
}
