import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, extname, join, resolve } from 'node:path';
import ts from 'typescript';

/** Compiled, this file is in build/test/support. */
const REPOSITORY = resolve(import.meta.dirname, '../../..');
/** The last commit of release 0.1.0. */
const COMMIT = '67f7e47';

/** The release before this one, with its quick-start, built from the history of the repository. */
export interface PreviousRelease {
  /** The entry of its quick-start. */
  readonly main: string;
  readonly remove: () => void;
}

/**
 * Whether the history of the repository reaches back to it; a shallow clone's does not until
 * `git fetch --unshallow`. Its tests are skipped by name then.
 */
export function hasPreviousRelease(): boolean {
  const look = spawnSync('git', ['cat-file', '-e', `${COMMIT}^{commit}`], { cwd: REPOSITORY });
  return look.status === 0;
}

/** Builds it in its own folder, with the dependencies of this release. */
export function makePreviousRelease(): PreviousRelease {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nestjs-logout-previous-')));
  execFileSync('tar', ['-x', '-C', folder], { input: archive() });
  compile(join(folder, 'lib'), join(folder, 'dist'));
  compile(join(folder, 'sample'), join(folder, 'build/sample'));
  symlinkSync(realpathSync(join(REPOSITORY, 'node_modules')), join(folder, 'node_modules'));
  return {
    main: join(folder, 'build/sample/01-quickstart/main.js'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function archive(): Buffer {
  const paths = ['lib', 'sample', 'package.json', 'tsconfig.json'];
  return execFileSync('git', ['archive', COMMIT, ...paths], {
    cwd: REPOSITORY,
    maxBuffer: 1 << 28,
  });
}

/** Each file by itself, because the release was type-checked when it was published. */
function compile(from: string, to: string): void {
  const { config } = ts.readConfigFile(join(dirname(from), 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, dirname(from));
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const source = join(entry.parentPath, entry.name);
    const target = join(to, source.slice(from.length));
    mkdirSync(dirname(target), { recursive: true });
    if (extname(source) !== '.ts') {
      cpSync(source, target);
      continue;
    }
    const { outputText } = ts.transpileModule(readFileSync(source, 'utf8'), {
      compilerOptions: {
        ...options,
        noEmit: false,
        declaration: false,
        module: ts.ModuleKind.ESNext,
        moduleResolution: ts.ModuleResolutionKind.Bundler,
      },
      fileName: source,
    });
    writeFileSync(target.replace(/\.ts$/, '.js'), outputText);
  }
}
