import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeOn, postgres, sqlite, type TestDatabase } from '../../support/databases.js';
import { type CommandRun, makeTables } from '../../support/command.js';

const MAIN = fileURLToPath(new URL('../../../lib/cli/main.js', import.meta.url));

/** The command as an operator runs it: in its own process. */
function execute(words: readonly string[], env: Record<string, string> = {}): Promise<CommandRun> {
  return new Promise((settle, reject) => {
    const child = spawn(process.execPath, [MAIN, ...words], {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
    child.once('error', reject);
    child.once('close', (code) => settle({ code: code ?? -1, stdout, stderr }));
  });
}

describe('the process nestjs-logout', () => {
  it('the command prints its help at once, and treats unknown words as wrong usage', async () => {
    const help = await execute(['--help']);
    expect(help.code).toBe(0);
    for (const name of [
      'status',
      'doctor',
      'revoke',
      'revoke-key',
      'purge',
      'migrate',
      'lower-bound',
      'raise-format',
      'new-history',
    ]) {
      expect(help.stdout).toContain(`  ${name} `);
    }
    const slip = await execute(['purg']);
    expect([slip.code, slip.stdout]).toEqual([2, '']);
    expect(slip.stderr).toContain('Did you mean purge?');
    const unknown = await execute(['status', '--nope', '--json']);
    expect(unknown.code).toBe(2);
    expect(JSON.parse(unknown.stdout)).toEqual({ error: expect.stringContaining('--nope') });
  });

  it('the command without a database says how to pass one', async () => {
    const { code, stdout, stderr } = await execute(['status', '--json']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--data-source dist\/data-source\.js[^]*DATABASE_URL/);
    expect(JSON.parse(stdout)).toEqual({ error: expect.stringContaining('Which database?') });
  });

  describeOn([sqlite, postgres], 'with --data-source', (kind) => {
    let database: TestDatabase;
    let folder: string;

    beforeAll(async () => {
      database = await kind.create();
      await makeTables(database);
      folder = mkdtempSync(join(tmpdir(), 'nestjs-logout-cli-'));
      symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
    });

    afterAll(async () => {
      rmSync(folder, { recursive: true, force: true });
      await database.drop();
    });

    const status = (name: string, source: string): Promise<CommandRun> => {
      const file = join(folder, name);
      writeFileSync(file, source.replaceAll('OPTIONS', JSON.stringify(database.options)));
      return execute(['status', '--json', '--data-source', file]);
    };
    const ESM = `import { DataSource } from 'typeorm';\n`;
    const COMMON = `'use strict'; const { DataSource } = require('typeorm');\n`;

    const modules = [
      ['an ES module’s default', 'a.mjs', `${ESM}export default new DataSource(OPTIONS);`],
      ['an ES module’s name', 'b.mjs', `${ESM}export const source = new DataSource(OPTIONS);`],
      ['a promise', 'c.mjs', `${ESM}export default Promise.resolve(new DataSource(OPTIONS));`],
      [
        'one that is open',
        'd.mjs',
        `${ESM}export default await new DataSource(OPTIONS).initialize();`,
      ],
      [
        'a CommonJS module’s exports',
        'e.cjs',
        `${COMMON}module.exports = new DataSource(OPTIONS);`,
      ],
      [
        'what TypeScript makes of export default',
        'f.cjs',
        `${COMMON}Object.defineProperty(exports, '__esModule', { value: true }); exports.default = new DataSource(OPTIONS);`,
      ],
      [
        'what TypeScript makes of export const',
        'g.cjs',
        `${COMMON}exports.AppDataSource = void 0; exports.AppDataSource = new DataSource(OPTIONS);`,
      ],
    ] as const;
    // How a module is read does not depend on what it names.
    it.each(kind === sqlite ? modules : modules.slice(0, 1))(
      '--data-source accepts %s',
      async (_, name, source) => {
        const { code, stdout, stderr } = await status(name, source);
        expect(stderr).toBe('');
        expect(JSON.parse(stdout)).toMatchObject({ position: 0, format: 1 });
        expect(code).toBe(0);
      },
    );

    if (kind === postgres) return;
    it.each([
      ['none', 'h.mjs', 'export const one = 1;', 'exports no DataSource'],
      [
        'two',
        'i.mjs',
        `${ESM}export const one = new DataSource(OPTIONS); export const two = new DataSource(OPTIONS);`,
        'exports 2 DataSources',
      ],
      ['an error', 'j.mjs', `throw new Error('no secrets here');`, 'no secrets here'],
    ])('--data-source refuses a module that exports %s', async (_, name, source, says) => {
      const { code, stderr } = await status(name, source);
      expect(stderr).toContain(says);
      expect(code).toBe(2);
    });
  });
});
