import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Checks, expectEqual, expectNone } from './support/checks.js';
import { appSource, type Workplace } from './support/consumer.js';
import { startApp } from './support/running-app.js';
import { call, logIn, logInReadLogOut } from './support/scenario.js';
import { node, shell } from './support/shell.js';

/** What the issue allows; counted as the lines that a reader types, and as those that go. */
const MOST_LINES = 15;

const RECIPE = 'docs/recipe.diff';
const OWN_STRATEGY = 'docs/own-strategy.diff';

/**
 * The passport recipe of the Nest documentation, before and after our diff, and an
 * application with its own strategy, before and after its one line.
 *
 * @param app - The Nest 12 folder: the recipes use what is installed there.
 */
export async function checkRecipes(checks: Checks, place: Workplace, app: string): Promise<void> {
  const diff = readFileSync(join(place.repository, RECIPE), 'utf8');

  await checks.run(`the diff of the recipe changes at most ${MOST_LINES} lines`, () => {
    const { added, removed } = changesIn(diff);
    if (Math.max(added, removed) <= MOST_LINES) return;
    throw new Error(`It adds ${added} lines and removes ${removed}.`);
  });
  await checkPage(checks, place, diff);
  await checks.run('a strategy of its own needs one line in validate()', () => {
    const own = readFileSync(join(place.repository, OWN_STRATEGY), 'utf8');
    const inside = own.split('async validate(')[1]?.split('\n+++ ')[0] ?? '';
    const changed = inside.split('\n').filter((line) => /^[+-](?!--|\+\+)/.test(line));
    expectEqual('changed lines', changed, [
      '+    await this.revocation.assertActive(payload, { kid: secretKid(SECRET) });',
    ]);
  });

  await checks.run('the diffs apply to the unmodified applications, and all compile', async () => {
    cpSync(appSource(place, 'recipes.tsconfig.json'), join(app, 'recipes.tsconfig.json'));
    await prepare(place, app, 'recipe-passport', RECIPE);
    // As docs/migrating.md says, the strategy of the recipe is no longer needed.
    rmSync(join(app, 'recipe-passport-applied/src/auth/jwt.strategy.ts'));
    await prepare(place, app, 'recipe-own-strategy', OWN_STRATEGY);
    moveIn(app);
    await node(app, 'node_modules/typescript/bin/tsc', '-p', 'recipes.tsconfig.json');
  });
  await checks.run('the unmodified recipe logs no one out', () =>
    withApp(app, 'recipe-passport', async (url) => {
      const token = await logIn(url);
      await call(`${url}/auth/logout`, 'POST', token);
      expectEqual('profile', (await call(`${url}/profile`, 'GET', token)).status, 200);
    }),
  );
  await checks.run('the recipe with the diff: login, profile, logout, 401', () =>
    withApp(app, 'recipe-passport-applied', async (url) => {
      await logInReadLogOut(url, 'session_ended');
      const { body } = await call(`${url}/profile`, 'GET', await logIn(url));
      expectEqual(
        'what handlers read in request.user',
        [body['userId'], body['username']],
        [1, 'john'],
      );
    }),
  );
  await checks.run('the unmodified recipe beside ours with legacy: forward, back, and out', () =>
    withApp(app, 'recipe-passport', (old) =>
      withApp(app, 'recipe-passport-moving', async (ours) => {
        const [before, after] = [await logIn(old), await logIn(ours)];
        for (const token of [before, after]) {
          for (const url of [old, ours]) {
            expectEqual('profile', (await call(`${url}/profile`, 'GET', token)).status, 200);
          }
        }
        for (const token of [before, after]) {
          await call(`${ours}/auth/logout`, 'POST', token);
          expectEqual('profile', (await call(`${ours}/profile`, 'GET', token)).status, 401);
        }
        expectEqual('next', (await call(`${ours}/profile`, 'GET', await logIn(ours))).status, 200);
      }),
    ),
  );
  await checks.run("one line covers every AuthGuard('jwt') of an own strategy", () =>
    withApp(app, 'recipe-own-strategy-applied', (url) =>
      logInReadLogOut(url, 'token_revoked', ['/profile', '/orders', '/orders/1']),
    ),
  );
}

async function checkPage(checks: Checks, place: Workplace, diff: string): Promise<void> {
  await checks.run(`docs/migrating.md shows ${RECIPE}`, () => {
    const page = readFileSync(join(place.repository, 'docs/migrating.md'), 'utf8');
    const shown = /```diff\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    const there = new Set(shown.split('\n').map((line) => line.trimEnd()));
    const wanted = diff.split('\n').filter((line) => /^[+-](?!--|\+\+)/.test(line));
    expectNone(
      'Missing in docs/migrating.md',
      wanted.filter((line) => !there.has(line.trimEnd())),
    );
  });
}

async function prepare(place: Workplace, app: string, name: string, diff: string): Promise<void> {
  const source = appSource(place, name);
  cpSync(source, join(app, name), { recursive: true });
  const applied = join(app, `${name}-applied`);
  cpSync(source, applied, { recursive: true });
  await shell(applied, 'git', 'apply', '--verbose', join(place.repository, diff));
}

/**
 * The applied recipe once more, with the option that lets old and new instances run side by side.
 */
function moveIn(app: string): void {
  const moving = join(app, 'recipe-passport-moving');
  cpSync(join(app, 'recipe-passport-applied'), moving, { recursive: true });
  const file = join(moving, 'src/auth/auth.module.ts');
  const legacy =
    'legacy: { secret: jwtConstants.secret, until: new Date(Date.now() + 86_400_000), sign: true }, ';
  const text = readFileSync(file, 'utf8');
  const marked = "strategyName: 'jwt', ";
  if (!text.includes(marked)) throw new Error('docs/recipe.diff has no strategyName any more.');
  writeFileSync(file, text.replace(marked, legacy + marked));
}

async function withApp(
  app: string,
  name: string,
  body: (url: string) => Promise<void>,
): Promise<void> {
  const running = await startApp(app, `dist/${name}/src/main.js`);
  try {
    await body(running.url);
  } finally {
    await running.stop();
  }
}

function changesIn(diff: string): { added: number; removed: number } {
  const lines = diff.split('\n');
  return {
    added: lines.filter((line) => /^\+(?!\+\+)/.test(line)).length,
    removed: lines.filter((line) => /^-(?!--)/.test(line)).length,
  };
}
