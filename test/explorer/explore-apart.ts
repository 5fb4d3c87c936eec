import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Exploration } from './explore.js';

const run = promisify(execFile);

/**
 * Explores in a process of its own: in the sandbox of a test runner every access to a global costs a
 * microsecond, and there are many of them.
 */
export async function exploreApart(
  what: 'scopes' | 'rules' | 'feeds',
): Promise<ReadonlyMap<string, Exploration>> {
  const script = 'build/test/explorer/run.js';
  const { stdout } = await run(process.execPath, [script, what, '--json'], {
    maxBuffer: 16 * 1024 * 1024,
  });
  const lines = stdout.trim().split('\n');
  return new Map(
    lines.map((line) => {
      const { name, ...found } = JSON.parse(line) as Exploration & { name: string };
      return [name, found];
    }),
  );
}

/** Long enough for a busy machine. The work itself takes half a minute of one core. */
export const EXPLORING_LIMIT = 900_000;
