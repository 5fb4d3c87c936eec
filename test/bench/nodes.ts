import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { progress } from './progress.js';

/** The other versions that guarded requests are measured on. */
export const OTHER_NODES: readonly string[] = ['22', '24', '26'];

/** A Node to run a bench with. */
export interface OtherNode {
  readonly version: string;
  readonly path: string;
}

/**
 * Installs the other Node versions from their npm packages into a folder that is thrown away. A version
 * that cannot be had on this platform is left out, loudly.
 */
export function installOtherNodes(folder: string): OtherNode[] {
  const name = `node-${process.platform}-${process.arch}`;
  return OTHER_NODES.flatMap((version) => {
    const prefix = join(folder, version);
    try {
      progress(`installing Node ${version}`);
      execFileSync(
        'npm',
        [
          'install',
          '--no-save',
          '--no-audit',
          '--no-fund',
          '--prefix',
          prefix,
          `${name}@${version}`,
        ],
        { stdio: ['ignore', 'ignore', 'pipe'] },
      );
      return [{ version, path: join(prefix, 'node_modules', name, 'bin', 'node') }];
    } catch (error) {
      progress(`Node ${version} cannot be installed: ${String(error)}`);
      return [];
    }
  });
}
