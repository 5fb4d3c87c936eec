import { afterEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { copyFileSync, rmSync } from 'node:fs';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { eventually } from '../../support/eventually.js';
import { claimsIn, headPosition } from '../../support/log-tables.js';

describeOn([sqlite], 'a restored file that was started in between', (kind) => {
  let database: TestDatabase;
  let instance: Instance | undefined;

  afterEach(async () => {
    await instance?.close();
    await database?.drop();
    jest.restoreAllMocks();
  });

  const start = async (): Promise<Instance> => {
    instance = await startInstance(database, { clock: new TestClock(), jumpsAtLoad: true });
    return instance;
  };
  const stop = async (): Promise<void> => {
    await instance?.close();
    instance = undefined;
  };
  const files = (): string[] => {
    const file = String(database.options.database);
    return [file, `${file}-wal`, `${file}-shm`];
  };

  it('a file that was restored and started in between hands out no position twice: a later logoutAll ends tokens of the lost history (H2)', async () => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    database = await kind.migrated();
    const first = await start();
    const begun = await first.sessions.position();
    await stop();
    const [file = ''] = files();
    copyFileSync(file, `${file}.backup`);
    // Two starts within a second would be nearer to each other than a jump is wide.
    await eventually(() => Date.now() > begun.now + 1_100);

    const lost = await start();
    for (let each = 0; each < 5; each++) await lost.logout.logoutSession(`session ${each}`);
    const token = await lost.login('alice');
    await stop();

    for (const each of files()) rmSync(each, { force: true });
    copyFileSync(`${file}.backup`, file);
    const restored = await start();
    await restored.logout.logoutAll('alice');
    expect(await headPosition(restored.dataSource)).toBeGreaterThan(claimsIn(token).gen ?? 0);
    expect(await restored.judge(token)).toBe('session_ended');
  });
});
