import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Cluster } from './cluster.js';
import { ClusterSettingsError, readClusterSettings } from './cluster-settings.js';
import { ControlModule } from './control.module.js';
import { KeeperProcess } from './keeper-process.js';
import { Load } from './load.service.js';

const NAME = 'nestjs-logout cluster';
const HOST = '127.0.0.1';

try {
  const settings = readClusterSettings(process.env);
  const keeper = new KeeperProcess();
  // What was started stops with the keeper. What is in this process stops with it.
  const end = (): void => void keeper.end().then(() => process.exit());
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end);

  const given = settings.databaseUrl;
  if (given === undefined) console.log(`${NAME}: starting a PostgreSQL …`);
  const databaseUrl = given ?? (await keeper.startDatabase());
  console.log(`${NAME}: starting three instances of the quick-start …`);
  const cluster = await Cluster.start(databaseUrl, keeper, settings);
  const app = await NestFactory.create(ControlModule.of(cluster), { logger: ['error', 'warn'] });
  app.get(Load).rate = settings.rate;
  await app.listen(settings.port, HOST);
  const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
  console.log(`
${NAME}: http://${HOST}:${port} (hint: ${settings.hint})

Open it in a browser. Ctrl-C ends everything.
`);
} catch (error) {
  console.error(`${NAME}: ${sentenceOf(error)}`);
  // The keeper notices, and stops what has been started.
  process.exit(1);
}

function sentenceOf(error: unknown): string | undefined {
  if (error instanceof ClusterSettingsError) return error.message;
  if (!(error instanceof Error)) return String(error);
  const { code, stack } = error as NodeJS.ErrnoException;
  return code === 'EADDRINUSE' ? 'PORT is taken by another process; name another one.' : stack;
}
