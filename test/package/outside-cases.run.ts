import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { MariaDbServer } from '../support/mariadb-server.js';
import { PostgresServer } from '../support/postgres-server.js';
import { OUTSIDE_CASES, type OutsideCase } from './outside-cases.js';
import { Checks, expectNone } from './support/checks.js';
import { INSTALL_QUIETLY, lendNativeModule } from './support/consumer.js';
import { node, shell } from './support/shell.js';

/** What the applications import; the versions are those that were current in November 2026. */
const PACKAGES =
  '@nestjs/common@12 @nestjs/core@12 @nestjs/jwt@12 @nestjs/passport@12 @nestjs/platform-express@12 ' +
  '@nestjs/platform-fastify@12 @nestjs/typeorm@12 @nestjs/microservices@12 @nestjs/graphql ' +
  '@nestjs/apollo @apollo/server @as-integrations/express5 graphql@16 graphql-ws ' +
  'graphql-subscriptions ws passport passport-jwt typeorm@1 pg mysql2 reflect-metadata rxjs';

const COMPILE =
  '--module nodenext --target es2023 --experimentalDecorators --emitDecoratorMetadata --noCheck --types node';

// Compiled, this file is in build/test/package.
const repository = resolve(import.meta.dirname, '../../..');
const [cases, part = ''] = process.argv.slice(2);
if (cases === undefined)
  throw new Error('Usage: npm run test:cases -- <folder of the cases> [06/app]');

const checks = new Checks();
const folder = mkdtempSync(join(tmpdir(), 'nestjs-logout-cases-'));
// PostgreSQL reads its hba_file there, as another user.
chmodSync(folder, 0o755);
const hba = join(folder, 'pg_hba.conf');
writeFileSync(
  hba,
  'host all h2user 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\n',
);
const postgres = await PostgresServer.create({ hba_file: hba });
const mariadb = MariaDbServer.isInstalled ? await MariaDbServer.start() : undefined;

try {
  await postgres.start();
  await postgres.query("CREATE ROLE h2user LOGIN PASSWORD 'p1'");
  await install();
  for (const [index, one] of OUTSIDE_CASES.entries()) {
    if (!one.file.includes(part)) continue;
    const name = `case ${[one.file, ...(one.args ?? [])].join(' ')}${one.edits ? ', with what 0.2 offers' : ''}`;
    if (one.args?.includes('maria') && mariadb === undefined) {
      checks.skip(name, 'no MariaDB is installed');
      continue;
    }
    await checks.run(name, () => run(one, join(folder, `run-${index}`)));
  }
} finally {
  await postgres.remove();
  await mariadb?.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  checks.finish(undefined);
}

async function install(): Promise<void> {
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  const { version } = JSON.parse(
    readFileSync(join(repository, 'node_modules/better-sqlite3/package.json'), 'utf8'),
  ) as { version: string };
  const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder];
  const tarball = join(folder, (await shell(repository, 'npm', ...pack)).trim());
  const packages = [tarball, `better-sqlite3@${version}`, ...PACKAGES.split(' ')];
  await shell(folder, 'npm', 'install', ...packages, ...INSTALL_QUIETLY);
  lendNativeModule(repository, folder);
  cpSync(join(repository, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'), {
    recursive: true,
  });
}

async function run(one: OutsideCase, place: string): Promise<void> {
  await postgres.query("ALTER ROLE h2user PASSWORD 'p1'");
  await postgres.query('DROP DATABASE IF EXISTS h2db WITH (FORCE)');
  await postgres.query('CREATE DATABASE h2db OWNER h2user');
  const from = join(cases ?? '', dirname(one.file));
  mkdirSync(place);
  for (const file of readdirSync(from)) {
    writeFileSync(join(place, file), adapted(readFileSync(join(from, file), 'utf8'), one, place));
  }
  const tsc = join(repository, 'node_modules/typescript/bin/tsc');
  const files = readdirSync(place);
  await node(place, tsc, '--ignoreConfig', ...COMPILE.split(' '), ...files);
  const second = join(folder, 'node_modules/nestjs-logout/node_modules');
  if (one.hasSecondCopy) {
    cpSync(join(folder, 'node_modules/@nestjs/common'), join(second, '@nestjs/common'), {
      recursive: true,
    });
  }
  try {
    const main = one.file.slice(one.file.indexOf('/') + 1);
    const args = (one.args ?? []).map((arg) => arg.replace('FOLDER', place));
    judge(one, await node(place, `${main}.js`, ...args));
  } finally {
    rmSync(second, { recursive: true, force: true });
  }
}

/** The application for this machine's servers, with what 0.2 has for its case. */
function adapted(source: string, { edits = [] }: OutsideCase, place: string): string {
  let text = source;
  for (const [find, replace] of edits) {
    if (!text.includes(find)) throw new Error(`The case does not have: ${find}`);
    text = text.replaceAll(find, replace);
  }
  const maria = mariadb === undefined ? '3306' : new URL(mariadb.url).port;
  return text
    .replaceAll('FOLDER', place)
    .replaceAll('4220', String(postgres.port))
    .replaceAll('mariadb -h', `mariadb -P ${maria} -h`)
    .replaceAll('127.0.0.1:3306', `127.0.0.1:${maria}`);
}

/** Many lines of the cases say themselves which status is right: `(expected 200) 200`, `(403) 403`. */
function judge({ says = [], never }: OutsideCase, printed: string): void {
  // oxlint-disable-next-line no-control-regex -- colours of Nest's logger
  const output = printed.replaceAll(/\x1b\[[0-9;]*m/g, '');
  const wrong = [...output.matchAll(/\((?:expected )?(\d{3})(?:\/(\d{3}))?\) +(\d{3})/g)]
    .filter(([, one, other, got]) => got !== one && got !== other)
    .map(([line]) => `It says ${line}`);
  const missing = says.filter((each) => !each.test(output)).map((each) => `It lacks ${each}`);
  const bad = never?.exec(output)?.[0];
  const problems = [...wrong, ...missing, ...(bad === undefined ? [] : [`It says ${bad}`])];
  if (problems.length > 0) expectNone(`${output}\nProblems`, problems);
}
