import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { checkJestRecipeInDocs, checkNest11, checkNest12 } from './applications.checks.js';
import { checkPublicTypes } from './public-types.checks.js';
import { checkRecipes } from './recipes.checks.js';
import { checkCommand } from './command.checks.js';
import { Checks } from './support/checks.js';
import { installApp, type Workplace } from './support/consumer.js';
import { shell } from './support/shell.js';
import { checkTarball } from './tarball.checks.js';

const NEST_12 = 'nest12-esm';
const NEST_11 = 'nest11-commonjs';
const MAJORS: readonly [name: string, nest: number][] = [
  [NEST_12, 12],
  [NEST_11, 11],
];

// Compiled, this file is in build/test/package.
const repository = resolve(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'nestjs-logout-package-'));
const checks = new Checks();
const resultsDirectory = process.env['RESULTS_DIR'];

try {
  console.log(`Packing, and installing into two applications in ${folder} …`);
  const packed = await shell(
    repository,
    'npm',
    'pack',
    '--ignore-scripts',
    '--silent',
    '--pack-destination',
    folder,
  );
  const place: Workplace = { repository, folder, tarball: join(folder, packed.trim()) };
  // Both at once: they wait for the network most of the time.
  const installing = new Map(MAJORS.map(([name, nest]) => [name, install(place, name, nest)]));

  await checkTarball(checks, place);
  const nest12 = withInstalled(installing, NEST_12, async (app) => {
    await checkPublicTypes(checks, place, app);
    await checkNest12(checks, place, app);
    await checkRecipes(checks, place, app);
    await checkCommand(checks, NEST_12, app);
  });
  const nest11 = withInstalled(installing, NEST_11, async (app) => {
    await checkNest11(checks, app);
    await checkCommand(checks, NEST_11, app);
  });
  await Promise.all([nest12, nest11]);
  await checkJestRecipeInDocs(checks, place);
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  checks.finish(resultsDirectory);
}

/** An error is kept for the check that reports it: no check awaits this promise yet. */
async function install(place: Workplace, name: string, nest: number): Promise<string | Error> {
  const start = performance.now();
  try {
    const app = await installApp(place, name, nest);
    console.log(`  …     ${name} installed (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    return app;
  } catch (error) {
    return error as Error;
  }
}

async function withInstalled(
  installing: ReadonlyMap<string, Promise<string | Error>>,
  name: string,
  body: (app: string) => Promise<void>,
): Promise<void> {
  const app = await installing.get(name);
  await checks.run(`${name}: the tarball can be installed by the line of the README`, () => {
    if (typeof app !== 'string') throw app ?? new Error('It was not tried.');
  });
  if (typeof app === 'string') await body(app);
}
