import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { progress } from '../progress.js';

/** The three builds of a run: `again` is a second copy of the base. */
export const BUILDS = ['base', 'head', 'again'] as const;
export type BuildName = (typeof BUILDS)[number];

/** Inside this checkout, so that all of them find its node_modules, and the same copy of Nest. */
const FOLDER = resolve('build/gate');

/**
 * Puts the compiled library of each build into a folder of its own: a build that goes on beside the run
 * changes nothing.
 *
 * @param base - A git ref, which is compiled in a temporary worktree, or a folder with a `dist`.
 * @param head - The same; by default the `dist` of this checkout.
 * @returns The entry of each build.
 */
export function prepareBuilds(base: string, head: string): Record<BuildName, string> {
  rmSync(FOLDER, { recursive: true, force: true });
  copyDist(base, 'base');
  copyDist(head, 'head');
  cpSync(folderOf('base'), folderOf('again'), { recursive: true });
  return { base: entryOf('base'), head: entryOf('head'), again: entryOf('again') };
}

/** Deletes what {@link prepareBuilds} made. */
export function removeBuilds(): void {
  rmSync(FOLDER, { recursive: true, force: true });
}

function copyDist(source: string, name: BuildName): void {
  mkdirSync(folderOf(name), { recursive: true });
  const folder = source.replace(/\/dist\/?$/, '');
  if (existsSync(join(folder, 'dist/index.js'))) {
    copyFrom(folder, name);
    return;
  }
  progress(`building ${source}`);
  const worktree = join(FOLDER, 'worktree');
  git('worktree', 'add', '--quiet', '--force', '--detach', worktree, source);
  try {
    const compiler = resolve('node_modules/typescript/bin/tsc');
    // It was checked when it was committed; without that it is compiled in seconds.
    const options = ['-p', 'tsconfig.build.json', '--noCheck', '--incremental', 'false'];
    execFileSync(process.execPath, [compiler, ...options, '--composite', 'false'], {
      cwd: worktree,
      stdio: ['ignore', 2, 2],
    });
    copyFrom(worktree, name);
  } finally {
    git('worktree', 'remove', '--force', worktree);
  }
}

function copyFrom(folder: string, name: BuildName): void {
  cpSync(join(folder, 'dist'), join(folderOf(name), 'dist'), { recursive: true });
  // It says that the files are ES modules.
  cpSync('package.json', join(folderOf(name), 'package.json'));
}

function git(...args: readonly string[]): void {
  execFileSync('git', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

function folderOf(name: BuildName): string {
  return join(FOLDER, name);
}

function entryOf(name: BuildName): string {
  return join(folderOf(name), 'dist/index.js');
}
