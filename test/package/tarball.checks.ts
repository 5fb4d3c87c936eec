import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { type Checks, expectEqual, expectNone } from './support/checks.js';
import type { Workplace } from './support/consumer.js';
import { node, shell } from './support/shell.js';

/** The tarball may not grow beyond this without a decision (bytes). */
const SIZE_BUDGET = 650_000;

const ALLOWED = [
  /^dist\/[\w./-]+\.(js|d\.ts)$/,
  /^docs\/sql\/[\w.-]+\.sql$/,
  /^docs\/([\w-]+\.(md|diff|svg)|alerts\.yml)$/,
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md)$/,
];

/** The content of the tarball, and what publint and attw say about it. */
export async function checkTarball(checks: Checks, place: Workplace): Promise<void> {
  const listing = await shell(place.folder, 'tar', '-tzf', place.tarball);
  const files = listing
    .trim()
    .split('\n')
    .map((path) => path.replace(/^package\//, ''));

  await checks.run('the tarball holds the build, the papers, and nothing else', () => {
    expectNone(
      'Unexpected files',
      files.filter((file) => !ALLOWED.some((pattern) => pattern.test(file))),
    );
    expectNone(
      'Tests or samples',
      files.filter((file) => /\.(spec|test)[.-]|(^|\/)(sample|samples|test|bench)\//.test(file)),
    );
    for (const paper of ['README.md', 'LICENSE', 'dist/index.js', 'dist/testing/index.js']) {
      expectEqual(paper, files.includes(paper), true);
    }
  });

  await checks.run('every link of a shipped paper leads to a shipped file', async () => {
    const papers = files.filter((file) => file.endsWith('.md'));
    const dead: string[] = [];
    for (const paper of papers) {
      const text = await shell(place.folder, 'tar', '-xOzf', place.tarball, `package/${paper}`);
      for (const [, target = ''] of text.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)) {
        if (/^\w+:/.test(target)) continue;
        const path = posix.join(posix.dirname(paper), target);
        const isThere = files.some((file) => file === path || file.startsWith(`${path}/`));
        if (!isThere) dead.push(`${paper}: ${target}`);
      }
    }
    expectNone('Links that lead nowhere after npm install (give the address on GitHub)', dead);
  });

  await checks.run('package.json names repository, bugs and homepage', () => {
    const text = readFileSync(join(place.repository, 'package.json'), 'utf8');
    const manifest = JSON.parse(text) as Record<string, unknown>;
    const missing = ['repository', 'bugs', 'homepage'].filter((field) => !(field in manifest));
    expectNone('Missing', missing);
  });

  await checks.run('every file of the build has a source, and every source a build', () => {
    const stale = files.filter((file) => file.startsWith('dist/') && !hasSource(place, file));
    expectNone('Stale files in dist/ (run: rm -rf dist && npm run build)', stale);
  });

  await checks.run(`the tarball is not larger than ${SIZE_BUDGET / 1000} kB`, () => {
    const { size } = statSync(place.tarball);
    if (size > SIZE_BUDGET) throw new Error(`It has ${size} bytes.`);
  });

  await checks.run('every exported path exists', () => {
    const text = readFileSync(join(place.repository, 'package.json'), 'utf8');
    const manifest = JSON.parse(text) as { exports: Record<string, unknown>; types: string };
    const targets = [manifest.types, ...targetsOf(manifest.exports)];
    expectNone(
      'Missing',
      targets.filter((target) => !files.includes(target.replace('./', ''))),
    );
  });

  const bin = (script: string): string => join(place.repository, 'node_modules', script);
  await checks.run('publint --strict has nothing to say', async () => {
    const output = await node(place.folder, bin('publint/src/cli.js'), place.tarball, '--strict');
    if (/suggestions?:|warnings?:|errors?:/i.test(output)) throw new Error(output);
  });
  await checks.run('attw finds the types of every entry (esm-only)', async () => {
    const cli = bin('@arethetypeswrong/cli/dist/index.js');
    await node(place.folder, cli, place.tarball, '--profile', 'esm-only', '--no-emoji');
  });
}

function hasSource({ repository }: Workplace, file: string): boolean {
  const source = file.replace(/^dist\//, 'lib/').replace(/\.(d\.ts|js)$/, '.ts');
  return existsSync(join(repository, source));
}

function targetsOf(exports: unknown): string[] {
  if (typeof exports === 'string') return [exports];
  return Object.values(exports as object).flatMap(targetsOf);
}
