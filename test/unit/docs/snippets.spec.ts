import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

/**
 * Every TypeScript example of the documents is compiled, in one program, against the built package.
 *
 * An example that is a fragment has an HTML comment in front of it: `<!-- compiled as`, then what
 * is around it, with a line `…` where the example goes. `<!-- compiled by FILE -->` says that
 * another check compiles it.
 */
const EXAMPLE = /(?:<!-- compiled (as|by)[ \n]([\s\S]*?)-->\s*)?^ *```ts\n([\s\S]*?)^ *```$/gm;

const papers = [
  'README.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** The text of each example by the name of a file that is not there, so that packages are found. */
const examples = new Map<string, string>();
const elsewhere: string[] = [];
for (const paper of papers) {
  const text = readFileSync(paper, 'utf8');
  for (const [, how, around = '…', example = ''] of text.matchAll(EXAMPLE)) {
    if (how === 'by') elsewhere.push(around.trim());
    else {
      const file = resolve('docs', `${paper.replaceAll('/', '-')}.${examples.size + 1}.ts`);
      examples.set(file, `${around.replace(/^ *…$/m, () => example)}\nexport {};\n`);
    }
  }
}

const ENTRIES = ['testing', 'terminus', 'prometheus', 'postgres', 'redis', 'nats'];

const options: ts.CompilerOptions = {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
  types: ['node'],
  strict: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  skipLibCheck: true,
  noEmit: true,
  paths: Object.fromEntries([
    ['nestjs-logout', [resolve('dist/index.d.ts')]],
    ...ENTRIES.map((name) => [`nestjs-logout/${name}`, [resolve(`dist/${name}/index.d.ts`)]]),
  ]),
};

function errors(): string[] {
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (file) => examples.has(resolve(file)) || fileExists(file);
  host.readFile = (file) => examples.get(resolve(file)) ?? readFile(file);
  const program = ts.createProgram([...examples.keys()], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
    return `${file?.fileName}:${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}

describe('the examples of the documents', () => {
  it('the examples compile against the package', () => {
    expect(examples.size).toBeGreaterThan(10);
    expect(errors()).toEqual([]);
  }, 60_000);

  it('an example that is compiled elsewhere names a check that exists', () => {
    expect(elsewhere.filter((file) => !existsSync(file))).toEqual([]);
  });
});
