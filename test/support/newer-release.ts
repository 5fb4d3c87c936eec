import {
  cpSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { SUPPORTED_FORMAT } from './internals.js';

/** Compiled, this file is in build/test/support. */
const REPOSITORY = resolve(import.meta.dirname, '../../..');

/** The release after this one: it understands one more format, and one more kind. */
export interface NewerRelease {
  /** The entry of its quick-start. */
  readonly main: string;
  /** The format that it adds. */
  readonly format: number;
  /** A kind of event that only this release knows. */
  readonly kind: string;
  readonly remove: () => void;
}

/** Builds it from the build of this one: its own package, with its own quick-start. */
export function makeNewerRelease(): NewerRelease {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nestjs-logout-newer-')));
  for (const path of ['package.json', 'dist', 'build/sample', 'sample']) {
    cpSync(join(REPOSITORY, path), join(folder, path), { recursive: true });
  }
  symlinkSync(realpathSync(join(REPOSITORY, 'node_modules')), join(folder, 'node_modules'));
  const format = SUPPORTED_FORMAT + 1;
  const kind = 'constellation';
  const events = join(folder, 'dist/database/entities/revocation-event.entity.js');
  edit(events, /(?<=SUPPORTED_FORMAT = )\d+/, String(format));
  edit(events, /'history',?(?=\s*\])/, `'history', '${kind}'`);
  edit(
    join(folder, 'dist/revocation/index/revocation-index.js'),
    /kind === 'history'/,
    `(kind === 'history' || kind === '${kind}')`,
  );
  return {
    main: join(folder, 'build/sample/01-quickstart/main.js'),
    format,
    kind,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function edit(path: string, what: RegExp, by: string): void {
  const text = readFileSync(path, 'utf8');
  const [, more] = text.split(what);
  if (more === undefined) throw new Error(`${what} is not in ${path}: fix newer-release.ts.`);
  writeFileSync(path, text.replace(what, by));
}
