import { existsSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { type Checks, expectEqual, expectNone } from './support/checks.js';
import type { Workplace } from './support/consumer.js';
import { node } from './support/shell.js';
import {
  DOCUMENTED,
  DOCUMENTED_FOR_PROMETHEUS,
  DOCUMENTED_FOR_TERMINUS,
  DOCUMENTED_FOR_TESTS,
  DOCUMENTED_HINTS,
} from './documented-exports.js';

/** What every user of the library has; nothing else may be needed to read its types. */
const REQUIRED_PEERS = [
  '@nestjs/common',
  '@nestjs/core',
  '@nestjs/jwt',
  '@nestjs/passport',
  'rxjs',
  'typeorm',
];

const ENTRIES: readonly {
  readonly entry: string;
  readonly allowed: readonly string[];
  readonly documented: readonly string[];
}[] = [
  { entry: 'index', allowed: REQUIRED_PEERS, documented: DOCUMENTED },
  {
    entry: 'testing/index',
    allowed: [...REQUIRED_PEERS, '@nestjs/testing'],
    documented: DOCUMENTED_FOR_TESTS,
  },
  {
    entry: 'terminus/index',
    allowed: [...REQUIRED_PEERS, '@nestjs/terminus'],
    documented: DOCUMENTED_FOR_TERMINUS,
  },
  {
    entry: 'prometheus/index',
    allowed: [...REQUIRED_PEERS, 'prom-client'],
    documented: DOCUMENTED_FOR_PROMETHEUS,
  },
  ...Object.entries(DOCUMENTED_HINTS).map(([name, documented]) => ({
    entry: `${name}/index`,
    allowed: REQUIRED_PEERS,
    documented,
  })),
];

/**
 * The names in the published declarations, and the exports of the package at run time.
 *
 * @param app - A folder in which the tarball is installed.
 */
export async function checkPublicTypes(
  checks: Checks,
  place: Workplace,
  app: string,
): Promise<void> {
  const dist = join(app, 'node_modules/nestjs-logout/dist');
  for (const { entry, allowed, documented } of ENTRIES) {
    const name = join('nestjs-logout', dirname(entry));
    await checks.run(`the types of ${name} name no optional package`, () => {
      const foreign = foreignImports(join(dist, `${entry}.d.ts`));
      expectNone(
        'Not on the allow-list',
        [...foreign]
          .filter(([module]) => !isBuiltin(module) && !allowed.includes(module))
          .map(([module, file]) => `${module}, in ${file.slice(dist.length + 1)}`),
      );
    });

    await checks.run(`${name} exports what is documented`, async () => {
      const script = `console.log(JSON.stringify(Object.keys(await import('${name}'))))`;
      const output = await node(app, '--input-type=module', '--eval', script);
      const exported = [...(JSON.parse(output) as string[])];
      const missing = documented.filter((one) => !exported.includes(one));
      expectNone('Documented and missing', missing);
      const unknown = exported.filter((one) => !documented.includes(one));
      expectNone('Exported and not on the list of test/package/documented-exports.ts', unknown);
    });
  }

  await checks.run('the papers import only what is exported', () => {
    const declared = readFileSync(join(dist, 'index.d.ts'), 'utf8');
    const papers = ['README.md', 'SECURITY.md', 'CHANGELOG.md'].map((f) =>
      join(place.repository, f),
    );
    const named = papers.filter(existsSync).flatMap((file) => namesImportedIn(file));
    expectNone(
      'Imported in a paper and not exported',
      named.filter((one) => !new RegExp(`\\b${one}\\b`).test(declared)),
    );
  });

  await checks.run('require() gives the same as import', async () => {
    const script =
      "console.log(JSON.stringify(Object.keys(require('nestjs-logout')).filter((k) => k !== '__esModule').sort()))";
    const output = await node(app, '--input-type=commonjs', '--no-warnings', '--eval', script);
    expectEqual('names', JSON.parse(output), [...DOCUMENTED].toSorted());
  });
}

/** Every package that a declaration file names, itself or through its neighbours, and where. */
function foreignImports(entry: string): Map<string, string> {
  const found = new Map<string, string>();
  const seen = new Set<string>();
  const queue = [entry];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const text = readFileSync(file, 'utf8').replaceAll(/\/\*[\s\S]*?\*\//g, '');
    for (const [, from, type, reference] of text.matchAll(
      /\bfrom\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]|<reference\s+types="([^"]+)"/g,
    )) {
      const specifier = from ?? type ?? reference ?? '';
      if (specifier.startsWith('.')) {
        queue.push(resolve(dirname(file), specifier.replace(/\.js$/, '.d.ts')));
      } else if (!found.has(packageOf(specifier))) {
        found.set(packageOf(specifier), file);
      }
    }
  }
  return found;
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}

function namesImportedIn(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/import\s+(?:type\s+)?\{([^}]*)\}\s+from\s+'nestjs-logout'/g)].flatMap(
    ([, names = '']) =>
      names
        .split(',')
        .map((one) =>
          one
            .trim()
            .replace(/^type\s+/, '')
            .replace(/\s+as\s+.*$/, ''),
        )
        .filter((one) => one !== ''),
  );
}
