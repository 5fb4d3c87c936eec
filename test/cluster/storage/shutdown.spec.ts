import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { AuthModule } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn } from '../../support/databases.js';
import { startInstance } from '../../support/instance.js';
import { controlPolls, listenForErrors } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';
import { countPending, readEvents } from '../../support/log-tables.js';

const run = promisify(execFile);

const LIB = new URL('../../../lib/', import.meta.url).href;

/** An application in its own process: logs out, closes, and exits. */
const CHILD = `
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule } from '${LIB}auth.module.js';
import { LogoutService } from '${LIB}logout/logout.service.js';
const app = await NestFactory.createApplicationContext({ module: class App {}, imports: [
  TypeOrmModule.forRoot(JSON.parse(process.env.OPTIONS)),
  AuthModule.forRoot({ secret: 'a secret of the tests: 32 bytes or more', issuer: 'i',
    audience: 'a', migrations: 'run' }),
] }, { logger: false, abortOnError: false });
await app.get(LogoutService).logoutSession('one');
await app.close();
process.stdout.write('closed ' + process.getActiveResourcesInfo().filter((name) =>
  name !== 'PipeWrap' && name !== 'TTYWrap').join());
`;

describe('an application that closes', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  describeOn(databaseKinds, 'its own process', (kind) => {
    it('a process whose application is closed exits by itself', async () => {
      const database = await kind.create();
      const { stdout } = await run(
        process.execPath,
        ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', CHILD],
        { env: { ...process.env, OPTIONS: JSON.stringify(database.options) }, timeout: 120_000 },
      );
      expect(stdout).toMatch(/^closed/);
      await database.drop();
    });

    it('an application that never started closes cleanly', async () => {
      const database = await kind.create();
      const module = await Test.createTestingModule({
        imports: [
          TypeOrmModule.forRoot(database.options),
          AuthModule.forRoot({
            secret: 'a secret of the tests: 32 bytes or more',
            issuer: 'issuer',
            audience: 'audience',
            migrations: 'run',
          }),
        ],
      }).compile();
      const app = module.createNestApplication({ logger: false });
      await app.close();
      await database.drop();
    });

    it('an application that closes finishes the work of its last poll before its connections close', async () => {
      const errors = listenForErrors();
      const database = await kind.migrated();
      const there = await startInstance(database, { clock: new TestClock() });
      const here = await startInstance(database, { clock: new TestClock() });
      await here.dataSource.transaction((manager) => here.logout.logoutSession('one', { manager }));
      const polls = await controlPolls(here);
      polls.hold();
      here.feed.request();
      await polls.answered(1); // it holds an event that waits for its number
      const stopping = jest.spyOn(here.feed, 'stop');
      const closing = here.close();
      await eventually(() => stopping.mock.calls.length > 0);
      polls.release();
      await closing;
      expect(errors()).toEqual([]);
      expect(await countPending(there.dataSource)).toBe(0);
      expect(await readEvents(there.dataSource)).toHaveLength(1);
      await there.close();
      await database.drop();
    });

    it('an application that closes finishes the writes in flight', async () => {
      const database = await kind.migrated();
      const there = await startInstance(database, { clock: new TestClock() });
      const here = await startInstance(database, { clock: new TestClock() });
      const logouts = Promise.all(
        Array.from({ length: 20 }, (_, index) => here.logout.logoutSession(`s-${index}`)),
      );
      await here.close();
      expect(await logouts).toHaveLength(20);
      expect(await readEvents(there.dataSource)).toHaveLength(20);
      await there.close();
      await database.drop();
    });
  });
});
