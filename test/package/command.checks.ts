import { type Checks, expectEqual } from './support/checks.js';
import { shell } from './support/shell.js';

/** The command, as `npx` finds it in an application that has installed the tarball. */
export async function checkCommand(checks: Checks, name: string, app: string): Promise<void> {
  const npx = (...words: string[]): Promise<string> =>
    shell(app, 'env', 'DATABASE_URL=sqlite:command.sqlite', 'npx', '--no-install', ...words);

  await checks.run(`${name}: npx nestjs-logout --help lists its commands`, async () => {
    const help = await npx('nestjs-logout', '--help');
    for (const command of ['doctor', 'status', 'revoke', 'lower-bound']) {
      expectEqual(command, help.includes(`  ${command} `), true);
    }
  });
  await checks.run(
    `${name}: npx nestjs-logout migrate, and doctor finds nothing wrong`,
    async () => {
      await npx('nestjs-logout', 'migrate');
      const report = JSON.parse(await npx('nestjs-logout', 'doctor', '--json')) as { ok: boolean };
      expectEqual('ok', report.ok, true);
    },
  );
}
