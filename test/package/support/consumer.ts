import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { shell } from './shell.js';

/**
 * Where the run works: the repository, and a folder outside of it that is deleted when the run
 * ends.
 */
export interface Workplace {
  readonly repository: string;
  readonly folder: string;
  readonly tarball: string;
}

/** For `npm install`: nothing is compiled, and only errors are printed. */
export const INSTALL_QUIETLY = [
  '--ignore-scripts',
  '--no-package-lock',
  '--prefer-offline',
  '--no-audit',
  '--no-fund',
  '--loglevel=error',
];

const NATIVE = 'build/Release/better_sqlite3.node';

/** The folder of an application in the repository. */
export function appSource({ repository }: Workplace, name: string): string {
  return join(repository, 'test/package/apps', name);
}

/**
 * The line of the README that installs this package beside one major version of Nest, as words.
 *
 * @throws when the README has none.
 */
export function installLine({ repository }: Workplace, nest: number): readonly string[] {
  const readme = readFileSync(join(repository, 'README.md'), 'utf8');
  const line = new RegExp(`^npm install (nestjs-logout .*@nestjs/jwt@${nest} .*)$`, 'm').exec(
    readme,
  );
  if (line?.[1] === undefined) throw new Error(`README.md has no install line for Nest ${nest}.`);
  return line[1].split(' ');
}

/**
 * Installs the packed tarball by the line of the README, beside what an application has, in a folder outside the repository, so
 * that nothing of ours is found by accident.
 *
 * @returns the application's folder.
 */
export async function installApp(place: Workplace, name: string, nest: number): Promise<string> {
  const app = join(place.folder, name);
  cpSync(appSource(place, name), app, { recursive: true });
  const words = installLine(place, nest).map((word) =>
    word === 'nestjs-logout' ? place.tarball : word,
  );
  await shell(app, 'npm', 'install', ...words, ...INSTALL_QUIETLY);
  lendNativeModule(place.repository, app);
  return app;
}

/** Compiling SQLite takes two minutes; the repository has done it for the same version and Node. */
export function lendNativeModule(repository: string, app: string): void {
  const from = join(repository, 'node_modules/better-sqlite3');
  const to = join(app, 'node_modules/better-sqlite3');
  const [own, wanted] = [versionOf(from), versionOf(to)];
  if (own !== wanted || !existsSync(join(from, NATIVE))) {
    throw new Error(
      `test/package/apps pins better-sqlite3 ${wanted}, the repository has compiled ${own}: pin the same.`,
    );
  }
  mkdirSync(join(to, 'build/Release'), { recursive: true });
  cpSync(join(from, NATIVE), join(to, NATIVE));
}

function versionOf(packageFolder: string): string {
  const text = readFileSync(join(packageFolder, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
