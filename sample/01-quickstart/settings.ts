import { randomBytes, randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { RevocationHint } from 'nestjs-logout';
import { natsHint } from 'nestjs-logout/nats';
import { postgresHint } from 'nestjs-logout/postgres';
import { redisHint } from 'nestjs-logout/redis';
import type { DataSourceOptions } from 'typeorm';

/** Everything that the quick-start reads from its environment, checked once. */
export interface Settings {
  readonly port: number;
  readonly host: string;
  readonly platform: 'express' | 'fastify';
  readonly database: DataSourceOptions;
  readonly secrets: readonly string[];
  readonly issuer: string;
  readonly audience: string;
  readonly accessTokenTtl: number;
  readonly refreshTokenTtl: number;
  readonly sessionTtl: number;
  readonly refreshGrace: number;
  readonly maxStaleness: number;
  readonly hint: RevocationHint | undefined;
  /** Wrong passwords a minute, for one account from one address. */
  readonly loginLimit: number;
}

const DAY = 86_400;
const YEAR = 366 * DAY;

type Environment = Readonly<Record<string, string | undefined>>;

/** A message for a person at a terminal; `main.ts` prints it without a stack. */
export class SettingsError extends Error {}

/**
 * Reads and checks the environment.
 *
 * @throws SettingsError naming the variable, its value, and the values it accepts.
 */
export function readSettings(env: Environment): Settings {
  const database = databaseOf(text(env, 'DATABASE_URL', 'sqlite:.quickstart/quickstart.sqlite'));
  return {
    port: integer(env, 'PORT', 3000, 0, 65_535),
    host: text(env, 'HOST', '127.0.0.1'),
    platform: oneOf(env, 'PLATFORM', ['express', 'fastify']),
    database,
    secrets: secretsOf(env, database),
    issuer: text(env, 'AUTH_ISSUER', 'nestjs-logout-quickstart'),
    audience: text(env, 'AUTH_AUDIENCE', 'nestjs-logout-quickstart'),
    accessTokenTtl: integer(env, 'ACCESS_TOKEN_TTL', 300, 1, DAY),
    refreshTokenTtl: integer(env, 'REFRESH_TOKEN_TTL', 14 * DAY, 1, YEAR),
    sessionTtl: integer(env, 'SESSION_TTL', 30 * DAY, 1, YEAR),
    refreshGrace: integer(env, 'REFRESH_GRACE', 10, 0, 600),
    maxStaleness: integer(env, 'MAX_STALENESS', 5, 1, 3_600),
    hint: hintOf(env, database),
    loginLimit: integer(env, 'LOGIN_LIMIT', 20, 1, 1_000_000),
  };
}

function databaseOf(url: string): DataSourceOptions {
  if (url.startsWith('sqlite:')) {
    const path = url.slice('sqlite:'.length);
    if (path === '') throw new SettingsError('DATABASE_URL: "sqlite:" needs a path.');
    if (path === ':memory:') return { type: 'better-sqlite3', database: path };
    const database = resolve(path);
    mkdirSync(dirname(database), { recursive: true });
    return { type: 'better-sqlite3', database };
  }
  if (/^postgres(ql)?:\/\//.test(url)) return { type: 'postgres', url };
  if (/^(mysql|mariadb):\/\//.test(url)) {
    return { type: 'mariadb', url: url.replace(/^mysql:/, 'mariadb:') };
  }
  throw new SettingsError(
    'DATABASE_URL must be sqlite:path, postgres://… or mysql://… (also for MariaDB).',
  );
}

/** Makes the SQLite file readable by its owner only: it has the accounts and digests of refresh tokens. */
export function makePrivate({ type, database }: DataSourceOptions): void {
  if (type !== 'better-sqlite3' || database === ':memory:') return;
  closeSync(openSync(database, 'a', 0o600));
}

/** How instances notify each other of a logout: on the database itself, or by Redis or NATS. */
function hintOf(env: Environment, database: DataSourceOptions): RevocationHint | undefined {
  const kind = oneOf(env, 'HINT', ['none', 'postgres', 'redis', 'nats']);
  if (kind === 'none') return undefined;
  if (kind === 'redis') return redisHint({ url: address(env, 'REDIS_URL', /^rediss?:\/\/./) });
  if (kind === 'nats') return natsHint({ servers: address(env, 'NATS_URL', /^(nats|tls):\/\/./) });
  if (database.type === 'postgres') return postgresHint();
  throw new SettingsError('HINT is "postgres"; DATABASE_URL must then be postgres://…');
}

function address(env: Environment, name: string, form: RegExp): string {
  const given = text(env, name, '');
  if (form.test(given)) return given;
  // The message does not have the value: it may have a password in it.
  throw new SettingsError(
    `${name} must be an address for HINT=${env['HINT']}, such as ${name === 'REDIS_URL' ? 'redis://127.0.0.1:6379' : 'nats://127.0.0.1:4222'}.`,
  );
}

/** The secrets of `AUTH_SECRET`; without it, outside production, one in a file beside the database. */
function secretsOf(env: Environment, database: DataSourceOptions): readonly string[] {
  const given = text(env, 'AUTH_SECRET', '');
  if (given !== '') {
    const secrets = given.split(',').map((secret) => secret.trim());
    for (const secret of secrets) {
      if (Buffer.byteLength(secret) >= 32) continue;
      throw new SettingsError(
        `AUTH_SECRET: each secret needs at least 32 bytes; one has ${Buffer.byteLength(secret)}. ` +
          "Make one: node -p \"require('crypto').randomBytes(32).toString('base64url')\"",
      );
    }
    if (new Set(secrets).size === secrets.length) return secrets;
    throw new SettingsError('AUTH_SECRET contains the same secret twice.');
  }
  if (env['NODE_ENV'] === 'production') {
    throw new SettingsError('AUTH_SECRET is required when NODE_ENV is production.');
  }
  const folder =
    database.type === 'better-sqlite3' && database.database !== ':memory:'
      ? dirname(String(database.database))
      : resolve('.quickstart');
  const file = resolve(folder, '.auth-secret');
  if (!existsSync(file)) makeSecret(file);
  chmodSync(file, 0o600);
  return [readFileSync(file, 'utf8').trim()];
}

/**
 * Written to a draft and linked into place: an instance that starts now finds a complete file or
 * none.
 */
function makeSecret(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${randomUUID()}`;
  try {
    writeFileSync(draft, randomBytes(48).toString('base64url'), { mode: 0o600, flag: 'wx' });
    linkSync(draft, file);
  } catch (error) {
    // Another instance that starts at the same moment made it first: take that one.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** An empty variable is one that is not set: that is how shells and compose files unset them. */
function text(env: Environment, name: string, fallback: string): string {
  return env[name] || fallback;
}

function integer(
  env: Environment,
  name: string,
  fallback: number,
  min: number,
  max: number,
): number {
  const given = text(env, name, String(fallback));
  const value = Number(given);
  if (/^\d+$/.test(given) && value >= min && value <= max) return value;
  throw new SettingsError(
    `${name} is "${given}"; it must be a whole number from ${min} to ${max}.`,
  );
}

function oneOf<T extends string>(env: Environment, name: string, choices: readonly [T, ...T[]]): T {
  const given = text(env, name, choices[0]);
  const choice = choices.find((each) => each === given);
  if (choice !== undefined) return choice;
  throw new SettingsError(`${name} is "${given}"; it must be one of ${choices.join(', ')}.`);
}
