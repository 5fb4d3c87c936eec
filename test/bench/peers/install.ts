import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { progress } from '../progress.js';

/** The compared packages that are no dependency of this repository, in the measured versions. */
export const PEERS = { 'express-jwt': '8.5.1', 'better-auth': '1.7.25' } as const;
export type PeerName = keyof typeof PEERS;

/** Beside the build, so that a second run finds them there. */
const FOLDER = resolve('build/peers');
/** Inside that folder, so that names are looked up in its node_modules. */
const LOADER = 'export const load = (name) => import(name);\n';

/**
 * Installs the package of a peer on the first call, and loads one of its modules.
 *
 * @returns `undefined` where it cannot be installed: its rows are then left out, and named.
 */
export async function loadPeer<T>(name: PeerName, module: string = name): Promise<T | undefined> {
  try {
    const folder = join(FOLDER, name);
    install(folder, name);
    const { load } = (await import(pathToFileURL(join(folder, 'load.mjs')).href)) as {
      load: (name: string) => Promise<T>;
    };
    return await load(module);
  } catch (error) {
    progress(`left out: ${name} ${PEERS[name]}: ${String(error)}`);
    return undefined;
  }
}

function install(folder: string, name: PeerName): void {
  const version = PEERS[name];
  if (isInstalled(folder, name, version)) return;
  progress(`installing ${name} ${version}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  writeFileSync(join(folder, 'load.mjs'), LOADER);
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder];
  execFileSync('npm', ['install', ...options, `${name}@${version}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

function isInstalled(folder: string, name: string, version: string): boolean {
  const manifest = join(folder, 'node_modules', name, 'package.json');
  if (!existsSync(manifest)) return false;
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version === version;
}
