import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { barrels, filesOfLib, unorderedRooms, wrongWays } from './rooms.js';

const MOST_LINES = 300;

/** What is still to be moved: these lists only get shorter. */
const KNOWN_WRONG_WAYS: readonly string[] = [];
const KNOWN_LONG_FILES: readonly string[] = [];

describe('lib', () => {
  const files = filesOfLib();

  it('folders of lib import one way, in the order of CONTRIBUTING.md', () => {
    const wrong = [...wrongWays(files)].filter(([way]) => !KNOWN_WRONG_WAYS.includes(way));
    expect(Object.fromEntries(wrong)).toEqual({});
  });

  it('each folder of lib has a place in that order', () => {
    expect(unorderedRooms(files)).toEqual([]);
  });

  it('only database/ has SQL, and the PostgreSQL entry listens and notifies', () => {
    const sql = /['"`](?:SELECT|INSERT INTO|UPDATE|DELETE FROM|LISTEN|BEGIN|COMMIT|ROLLBACK) \S/;
    const found = [...files].filter(
      ([path, text]) => !path.startsWith('database/') && sql.test(text),
    );
    expect(found.map(([path]) => path)).toEqual(['postgres/postgres.hint.ts']);
  });

  it('lib has no barrels except the entries of the package', () => {
    expect(barrels(files)).toEqual([]);
  });

  it(`lib has no file of more than ${MOST_LINES} lines`, () => {
    const long = [...files]
      .filter(([, text]) => text.trimEnd().split('\n').length > MOST_LINES)
      .map(([path]) => path);
    expect(long.filter((path) => !KNOWN_LONG_FILES.includes(path))).toEqual([]);
  });
});

describe('CONTRIBUTING.md', () => {
  it('CONTRIBUTING.md names files and folders that exist', () => {
    const text = readFileSync('CONTRIBUTING.md', 'utf8');
    const paths = [...text.matchAll(/`((?:lib|test|docs|\.ci)\/[\w./-]+)`/g)].map(
      ([, path]) => path,
    );
    expect(paths.length).toBeGreaterThan(10);
    expect(paths.filter((path = '') => !existsSync(path))).toEqual([]);
  });
});

describe('the check of folders', () => {
  const of = (...texts: [path: string, text: string][]): ReadonlyMap<string, string> =>
    new Map(texts);
  const importing = (path: string): string => `import { it } from '${path}';\n`;

  it('the check sees an import against the order, a type import, a dynamic one and one in a subfolder', () => {
    const wrong = wrongWays(
      of(
        ['errors/a.ts', importing('../http/b.js')],
        ['platform/a.ts', `export type { It } from '../events/b.js';`],
        ['options/a.ts', `await import('../cli/b.js');`],
        ['revocation/index/a.ts', importing('../log/b.js')],
        ['revocation/log/b.ts', importing('../revocation.service.js')],
        ['http/b.ts', importing('../errors/a.js')],
      ),
    );
    expect([...wrong.keys()]).toEqual([
      'errors -> http',
      'platform -> events',
      'options -> cli',
      'revocation/index -> revocation/log',
      'revocation/log -> revocation',
    ]);
  });

  it('the check sees two folders that import each other where no order is given', () => {
    const wrong = wrongWays(
      of(
        ['cli/doctor/a.ts', importing('../b.js')],
        ['cli/b.ts', importing('./doctor/a.js')],
        ['http/b.ts', importing('./cookies/a.js')],
      ),
    );
    expect([...wrong.keys()]).toEqual(['cli/doctor -> cli', 'cli -> cli/doctor']);
  });

  it('the check sees a barrel, and not a file with code of its own', () => {
    const passesOn = `/** All. */\nexport { a } from './a.js';\nexport * from './b.js';\n`;
    expect(
      barrels(
        of(
          ['http/all.ts', passesOn],
          ['redis/index.ts', passesOn],
          ['http/own.ts', `${passesOn}export const own = 1;\n`],
        ),
      ),
    ).toEqual(['http/all.ts']);
  });
});
