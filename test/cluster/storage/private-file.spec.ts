import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLogDatabase } from '../../support/internals.js';

describe('an SQLite file that the log creates', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'nestjs-logout-'));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('only its owner can read the SQLite file and the files that SQLite creates beside it', async () => {
    const file = join(folder, 'log.sqlite');
    const prepareDatabase = (database: { pragma(source: string): unknown }): void => {
      database.pragma('journal_mode = WAL');
    };
    const log = await openLogDatabase({
      source: { type: 'better-sqlite3', database: file, prepareDatabase },
      schema: undefined,
      migrations: 'run',
    });
    const made = [file, `${file}-wal`, `${file}-shm`].filter((path) => existsSync(path));
    expect(made.map((path) => [path, (statSync(path).mode & 0o777).toString(8)])).toEqual(
      [file, `${file}-wal`, `${file}-shm`].map((path) => [path, '600']),
    );
    await log.close();
  });
});
