import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Checks, expectEqual, expectNone } from './support/checks.js';
import { appSource, type Workplace } from './support/consumer.js';
import { startApp } from './support/running-app.js';
import { logInReadLogOut } from './support/scenario.js';
import { node } from './support/shell.js';

const TSC = 'node_modules/typescript/bin/tsc';

/** The line of docs/testing.md for projects whose jest runs CommonJS. */
const JEST_RECIPE = { transformIgnorePatterns: ['node_modules/(?!.*nestjs-logout/)'] };

/** A Nest 12 application in ES modules, as strict as TypeScript can be, with TypeORM 1. */
export async function checkNest12(checks: Checks, place: Workplace, app: string): Promise<void> {
  cpSync(appSource(place, 'consumer-types'), join(app, 'consumer-types'), { recursive: true });
  writeFileSync(join(app, 'src/readme.ts'), applicationOfReadme(place));
  writeFileSync(join(app, 'src/guesses.ts'), exampleOf(place, 'docs/guesses.md'));
  await checks.run('Nest 12, strict, skipLibCheck: false: everything public compiles', async () => {
    await node(app, TSC, '-p', '.');
  });
  await checks.run('the application of the README: login, read, logout, 401', () =>
    tryOut(app, 'dist/src/readme.js'),
  );
  await checks.run('Nest 12: a second copy of @nestjs/common stops the boot', async () => {
    const second = join(app, 'node_modules/nestjs-logout/node_modules/@nestjs/common');
    cpSync(join(app, 'node_modules/@nestjs/common'), second, { recursive: true });
    const output = await startApp(app, 'dist/src/main.js').then(
      () => 'it listens',
      (error: unknown) => String(error),
    );
    rmSync(join(app, 'node_modules/nestjs-logout/node_modules'), { recursive: true });
    expectEqual('the advice', output.includes('npm ls @nestjs/common'), true);
    expectEqual('it ended with code 1', output.includes('ended with code 1'), true);
  });
  await checks.run('Nest 12 in ES modules with TypeORM 1: login, read, logout, 401', () =>
    tryOut(app, 'dist/src/main.js'),
  );
}

/** A Nest 11 application in CommonJS as `nest new` creates it, with TypeORM 0.3. */
export async function checkNest11(checks: Checks, app: string): Promise<void> {
  await checks.run('Nest 11: compiles as nest new sets it up (nodenext)', async () => {
    await node(app, TSC, '-p', '.');
    const compiled = readFileSync(join(app, 'dist/app.module.js'), 'utf8');
    expectEqual(
      "it says require('nestjs-logout')",
      /require\("nestjs-logout"\)/.test(compiled),
      true,
    );
  });
  await checks.run(
    'Nest 11: older projects (module: commonjs) compile, skipLibCheck: false',
    async () => {
      const older = ['--module', 'commonjs', '--moduleResolution', 'node10'];
      const alone = ['--resolvePackageJsonExports', 'false', '--incremental', 'false', '--noEmit'];
      // Declarations of others are not without errors in Nest 11; the application and ours must be.
      const everything = ['--strict', '--skipLibCheck', 'false', '--pretty', 'false'];
      const output = await node(app, TSC, '-p', '.', ...older, ...alone, ...everything).catch(
        String,
      );
      expectNone(
        'Errors',
        output.split('\n').filter((line) => /^(src|node_modules\/nestjs-logout)\//.test(line)),
      );
    },
  );
  await checks.run('Nest 11 in CommonJS with TypeORM 0.3: login, read, logout, 401', () =>
    tryOut(app, 'dist/main.js'),
  );
  await checks.run(
    'Nest 11: a gateway of socket.io and a TCP handler accept, refuse, and end with their token',
    async () => {
      const printed = await node(app, 'dist/transports.main.js');
      const asked = ['token_missing', 'john', 'session_ended'];
      const ends = ['session_ended', 'session_ended'];
      expectEqual(
        'what each answers without a token, with it, and after the logout; how what was open ends',
        JSON.parse(printed),
        { socket: asked, message: asked, ends },
      );
    },
  );
  await checks.run('Nest 11: a cycle of the options stops the boot, with the fix', async () => {
    const boot = startApp(app, 'dist/cyclic.main.js');
    const output = await boot.then(
      () => 'it listens',
      (error: unknown) => String(error),
    );
    // Nest 11 itself waits for ever: the process would end with code 0 and without a word.
    expectEqual('it ended with code 1', output.includes('ended with code 1'), true);
    expectEqual('the advice', output.includes('Name the class beside useFactory'), true);
  });
  await checks.run(
    'Nest 11: the stock ts-jest spec passes with the line of docs/testing.md',
    async () => {
      const file = join(app, 'package.json');
      const manifest = JSON.parse(readFileSync(file, 'utf8')) as { jest: object };
      Object.assign(manifest.jest, JEST_RECIPE);
      writeFileSync(file, JSON.stringify(manifest, null, 2));
      await node(app, 'node_modules/jest/bin/jest.js', '--ci', '--runInBand');
    },
  );
}

/** The documents show the same line as the one that was tried here. */
export async function checkJestRecipeInDocs(checks: Checks, place: Workplace): Promise<void> {
  await checks.run('docs/testing.md shows the transformIgnorePatterns line that was tried', () => {
    const page = readFileSync(join(place.repository, 'docs/testing.md'), 'utf8');
    expectEqual('it', page.includes(JEST_RECIPE.transformIgnorePatterns[0] ?? ''), true);
  });
}

/** The one example of a page of the documents. */
function exampleOf({ repository }: Workplace, page: string): string {
  const [, example] =
    /```ts\n([\s\S]*?)```/.exec(readFileSync(join(repository, page), 'utf8')) ?? [];
  if (example === undefined) throw new Error(`${page} has no example.`);
  return example;
}

/** The complete application that the README shows, on a database that is there. */
function applicationOfReadme({ repository }: Workplace): string {
  const readme = readFileSync(join(repository, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block]) => block ?? '');
  const whole = blocks.find((block) => block.includes('NestFactory.create('));
  const replacements = [
    ["{ type: 'postgres', url: process.env['DATABASE_URL']! }", SQLITE],
    ["process.env['AUTH_SECRET']!", "'a secret of the package test, 32 bytes or more'"],
  ] as const;
  return replacements.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`README.md has no application with ${from}.`);
    return text.replace(from, to);
  }, whole ?? '');
}

const SQLITE = "{ type: 'better-sqlite3', database: process.env['DATABASE']! }";

async function tryOut(app: string, main: string): Promise<void> {
  expectEqual(`${main} was compiled`, existsSync(join(app, main)), true);
  const running = await startApp(app, main);
  try {
    await logInReadLogOut(running.url, 'session_ended');
  } finally {
    await running.stop();
  }
}
