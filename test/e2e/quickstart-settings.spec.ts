import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSettings, SettingsError } from '../../sample/01-quickstart/settings.js';
import { SHARED_SECRET } from '../support/mint-token.js';
import { DEMO_PASSWORD } from '../support/quickstart-client.js';
import { QuickstartProcess } from '../support/quickstart-process.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestjs-logout-settings-'));
});

afterEach(async () => {
  await QuickstartProcess.stopAll();
  rmSync(folder, { recursive: true, force: true });
});

const bad: readonly (readonly [name: string, value: string, fix: RegExp])[] = [
  ['PORT', 'eighty', /whole number from 0 to 65535/],
  ['PORT', '65536', /whole number from 0 to 65535/],
  ['PORT', '-1', /whole number from 0 to 65535/],
  ['PORT', '80.5', /whole number from 0 to 65535/],
  ['PORT', '0x50', /whole number from 0 to 65535/],
  ['PORT', ' 80', /whole number from 0 to 65535/],
  ['PLATFORM', 'koa', /express, fastify/],
  ['PLATFORM', 'Express', /express, fastify/],
  ['DATABASE_URL', 'sqlite:', /path/],
  ['DATABASE_URL', 'mongodb://127.0.0.1/a', /sqlite:path, postgres:\/\/.* or mysql:\/\//],
  ['DATABASE_URL', '/var/lib/a.sqlite', /sqlite:path, postgres:\/\/.* or mysql:\/\//],
  ['AUTH_SECRET', 'short', /at least 32 bytes; one has 5/],
  ['AUTH_SECRET', `${SHARED_SECRET},short`, /at least 32 bytes; one has 5/],
  ['AUTH_SECRET', `${SHARED_SECRET},`, /at least 32 bytes; one has 0/],
  ['AUTH_SECRET', `${SHARED_SECRET},${SHARED_SECRET}`, /twice/],
  ['ACCESS_TOKEN_TTL', '0', /whole number from 1 to 86400/],
  ['ACCESS_TOKEN_TTL', '5m', /whole number from 1 to 86400/],
  ['REFRESH_TOKEN_TTL', '0', /whole number from 1 to 31622400/],
  ['REFRESH_TOKEN_TTL', '14d', /whole number from 1 to 31622400/],
  ['SESSION_TTL', '0', /whole number from 1 to 31622400/],
  ['SESSION_TTL', '1e9', /whole number from 1 to 31622400/],
  ['REFRESH_GRACE', '-1', /whole number from 0 to 600/],
  ['REFRESH_GRACE', '601', /whole number from 0 to 600/],
  ['MAX_STALENESS', '0', /whole number from 1 to 3600/],
  ['MAX_STALENESS', 'Infinity', /whole number from 1 to 3600/],
  ['LOGIN_LIMIT', '0', /whole number from 1 to 1000000/],
  ['LOGIN_LIMIT', 'many', /whole number from 1 to 1000000/],
  ['HINT', 'kafka', /none, postgres, redis, nats/],
  ['HINT', 'postgres', /DATABASE_URL must then be postgres/],
  ['HINT', 'redis', /REDIS_URL must be an address/],
  ['HINT', 'nats', /NATS_URL must be an address/],
];

describe('a wrong setting', () => {
  it.each(bad)('a wrong setting stops the boot: %s = %j', (name, value, fix) => {
    const given = { DATABASE_URL: `sqlite:${folder}/a.sqlite`, [name]: value };
    const read = (): unknown => readSettings(given);
    expect(read).toThrow(SettingsError);
    expect(read).toThrow(name);
    expect(read).toThrow(fix);
  });

  it('a wrong setting is reported at a terminal in one line and without the secret', async () => {
    const [port, secret] = await Promise.all([
      QuickstartProcess.fail({ PORT: 'eighty' }, folder),
      QuickstartProcess.fail({ AUTH_SECRET: 'hunter2' }, folder),
    ]);
    expect(port.code).toBe(1);
    expect(port.output.trim().split('\n')).toEqual([
      'nestjs-logout quick-start: PORT is "eighty"; it must be a whole number from 0 to 65535.',
    ]);
    expect(secret.code).toBe(1);
    expect(secret.output).toContain('AUTH_SECRET');
    expect(secret.output).not.toContain('hunter2');
  });

  it('a missing AUTH_SECRET in production stops the boot, and nothing is written', async () => {
    const { code, output } = await QuickstartProcess.fail({ NODE_ENV: 'production' }, folder);
    expect(code).toBe(1);
    expect(output).toContain('AUTH_SECRET is required when NODE_ENV is production.');
    expect(readdirSync(join(folder, '.quickstart'))).toEqual([]);
  });
});

describe('the defaults', () => {
  it('the defaults are those of the documentation', () => {
    const settings = readSettings({ DATABASE_URL: `sqlite:${folder}/a.sqlite` });
    expect(settings).toMatchObject({
      port: 3000,
      host: '127.0.0.1',
      platform: 'express',
      issuer: 'nestjs-logout-quickstart',
      audience: 'nestjs-logout-quickstart',
      accessTokenTtl: 300,
      refreshTokenTtl: 14 * 86_400,
      sessionTtl: 30 * 86_400,
      refreshGrace: 10,
      maxStaleness: 5,
    });
  });

  it.each([
    'PORT',
    'HOST',
    'PLATFORM',
    'AUTH_SECRET',
    'AUTH_ISSUER',
    'AUTH_AUDIENCE',
    'ACCESS_TOKEN_TTL',
    'REFRESH_TOKEN_TTL',
    'SESSION_TTL',
    'REFRESH_GRACE',
    'MAX_STALENESS',
  ])('the defaults apply if %s is empty', (name) => {
    const database = { DATABASE_URL: `sqlite:${folder}/a.sqlite` };
    expect(readSettings({ ...database, [name]: '' })).toEqual(readSettings(database));
  });
});

describe('the accounts', () => {
  it('the accounts keep their changes after a restart', async () => {
    const first = await QuickstartProcess.start({}, folder);
    const [alice, admin] = [await first.login('alice'), await first.login('admin')];
    const words = { old: DEMO_PASSWORD, new: 'another one' };
    expect((await first.post('/me/password', { token: alice, body: words })).status).toBe(204);
    const { status } = await first.send('/admin/users/bob', {
      method: 'DELETE',
      headers: { authorization: `Bearer ${admin}` },
    });
    expect(status).toBe(204);
    await first.stop();

    const second = await QuickstartProcess.start({}, folder);
    const logIn = async (username: string, password: string): Promise<number> =>
      (await second.post('/auth/login', { body: { username, password } })).status;
    expect(await logIn('alice', DEMO_PASSWORD)).toBe(401);
    expect(await logIn('alice', 'another one')).toBe(200);
    expect(await logIn('bob', DEMO_PASSWORD)).toBe(401);
    expect(await logIn('admin', DEMO_PASSWORD)).toBe(200);
  });
});

describe('the files and the limit of the quick-start', () => {
  it('only their owner can read the SQLite file and its companion files', async () => {
    const quickstart = await QuickstartProcess.start({}, folder);
    await quickstart.login('alice');
    const files = readdirSync(join(folder, '.quickstart'));
    expect(files).toContain('quickstart.sqlite');
    for (const file of files) {
      const { mode } = statSync(join(folder, '.quickstart', file));
      expect([file, mode & 0o777]).toEqual([file, 0o600]);
    }
  });

  it('LOGIN_LIMIT wrong passwords in a minute are 401, and the next one and the right one are 429', async () => {
    const quickstart = await QuickstartProcess.start({ LOGIN_LIMIT: '2' }, folder);
    const logIn = async (username: string, password = DEMO_PASSWORD): Promise<number> =>
      (await quickstart.post('/auth/login', { body: { username, password } })).status;
    const statuses: number[] = [];
    for (const password of ['a', 'b', 'c', DEMO_PASSWORD]) {
      statuses.push(await logIn('alice', password));
    }
    expect(statuses).toEqual([401, 401, 429, 429]);
    // No one else is locked out.
    expect(await logIn('bob')).toBe(200);
    // A change of the password is a guess at the old one.
    const token = await quickstart.login('admin');
    const change = async (): Promise<number> =>
      (await quickstart.post('/me/password', { token, body: { old: 'a', new: 'b' } })).status;
    expect([await change(), await change(), await change()]).toEqual([401, 401, 429]);
  });
});

describe('the secret outside production', () => {
  it('the secret is kept beside the database for its owner alone, and a restart logs no one out', async () => {
    const first = await QuickstartProcess.start({}, folder);
    const [alice, bob] = [await first.login('alice'), await first.login('bob')];
    expect(await first.logout(bob)).toBe(204);
    await first.stop();

    const file = join(folder, '.quickstart', '.auth-secret');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(Buffer.byteLength(readFileSync(file, 'utf8'))).toBeGreaterThanOrEqual(32);

    const second = await QuickstartProcess.start({ PLATFORM: 'fastify' }, folder);
    expect(await second.me(alice)).toBe(200);
    expect(await second.me(bob)).toBe(401);
  });

  it('instances that start at the same moment use the same secret', async () => {
    const database = { DATABASE_URL: `sqlite:${folder}/a.sqlite` };
    const all = await Promise.all([1, 2].map(() => QuickstartProcess.start(database)));
    const token = await all[0]?.login();
    expect(await all[1]?.me(token ?? '')).toBe(200);
  });
});
