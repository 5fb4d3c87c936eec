import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'nestjs-logout-secret-'));
});

afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

it('two instances that start at the same moment have the same complete secret', async () => {
  let whileWriting: (() => void) | undefined;
  // A write is two steps, creating the file and filling it: here something happens between them.
  const writeFileSync: typeof fs.writeFileSync = (file, data, options) => {
    fs.writeFileSync(file, '', options);
    const happens = whileWriting;
    whileWriting = undefined;
    happens?.();
    fs.writeFileSync(file, data);
  };
  jest.unstable_mockModule('node:fs', () => ({ ...fs, writeFileSync }));
  const { readSettings } = await import('../../sample/01-quickstart/settings.js');
  const start = (): string | undefined =>
    readSettings({ DATABASE_URL: `sqlite:${folder}/a.sqlite` }).secrets[0];

  let other: string | undefined;
  whileWriting = () => (other = start());
  const secret = start();

  expect(secret).toMatch(/^[\w-]{64}$/);
  expect(other).toBe(secret);
  expect(start()).toBe(secret);
  expect(fs.readdirSync(folder)).toEqual(['.auth-secret']);
  expect(fs.statSync(join(folder, '.auth-secret')).mode & 0o777).toBe(0o600);
});
