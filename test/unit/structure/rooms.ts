import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/**
 * The rooms of a folder, lowest first: each imports only from those before it. `.` is the files of the
 * folder itself. Rooms in one string may import each other, but only one way.
 */
const ORDERS: Readonly<Record<string, readonly string[]>> = {
  '.': [
    'errors',
    'platform',
    'options',
    'events',
    'database',
    'revocation',
    'binding',
    'authentication',
    'live',
    'sessions',
    'api-tokens',
    'logout',
    'accounts',
    'http',
    'cli',
    // Entries of the package.
    'testing',
    'terminus',
    'prometheus',
    'postgres',
    'redis',
    'nats',
    '.',
  ],
  revocation: ['index', 'staleness', 'log', 'feed', 'push', '.'],
};

/** The files of lib by their paths below it, with their text. */
export type Files = ReadonlyMap<string, string>;

export function filesOfLib(): Files {
  const paths = readdirSync('lib', { recursive: true, encoding: 'utf8' });
  return new Map(
    paths
      .filter((path) => path.endsWith('.ts'))
      .toSorted()
      .map((path) => [path, readFileSync(join('lib', path), 'utf8')]),
  );
}

/**
 * Pairs of rooms, as `'revocation/index -> revocation/log'`, of which the first may not import the
 * second: it is below it in {@link ORDERS}, or the two import each other. Each with the imports.
 */
export function wrongWays(files: Files): ReadonlyMap<string, readonly string[]> {
  const ways = new Map<string, { folder: string; from: string; to: string; imports: string[] }>();
  for (const [path, text] of files) {
    // They wire everything below them.
    if (isWiring(path)) continue;
    for (const target of importsIn(path, text)) {
      const { folder, from, to } = roomsOf(path, target);
      if (from === to) continue;
      const name = `${join(folder, from)} -> ${join(folder, to)}`;
      const way = ways.get(name) ?? { folder, from, to, imports: [] };
      way.imports.push(`${path} imports ${target}`);
      ways.set(name, way);
    }
  }
  const wrong = [...ways].filter(([, { folder, from, to }]) => {
    const height = placeOf(folder, from) - placeOf(folder, to);
    return height === 0 ? ways.has(`${join(folder, to)} -> ${join(folder, from)}`) : height < 0;
  });
  return new Map(wrong.map(([name, { imports }]) => [name, imports]));
}

/** The rooms that no order names. */
export function unorderedRooms(files: Files): string[] {
  const rooms = [...files.keys()].flatMap((path) => {
    const parts = path.split('/').slice(0, -1);
    return parts.map((part, depth) => [parts.slice(0, depth).join('/') || '.', part] as const);
  });
  const missing = rooms.filter(([folder, room]) => folder in ORDERS && placeOf(folder, room) < 0);
  return [...new Set(missing.map((each) => each.join('/')))];
}

/** Files without code of their own, which only pass on what others export. */
export function barrels(files: Files): string[] {
  const isEntry = (path: string): boolean => /^(\w+\/)?index\.ts$/.test(path);
  return [...files]
    .filter(([path]) => !isEntry(path))
    .filter(([, text]) => {
      const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      return code.replaceAll(/\b(?:import|export)\b[^;]*?\bfrom\s*'[^']*';/g, '').trim() === '';
    })
    .map(([path]) => path);
}

/** Folders without an order have their rooms all in one place. */
function placeOf(folder: string, room: string): number {
  return ORDERS[folder]?.findIndex((place) => place.split(' ').includes(room)) ?? 0;
}

function isWiring(path: string): boolean {
  return path.endsWith('.module.ts') || /(^|\/)index\.ts$/.test(path);
}

/** What a file imports from lib, types included. */
function importsIn(path: string, text: string): string[] {
  const imports = text.matchAll(/\b(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)\.js'/g);
  return [...imports].map(([, target = '']) => normalize(join(dirname(path), `${target}.ts`)));
}

/** The folder in which the ways of two files part, and the room of each in it. */
function roomsOf(a: string, b: string): { folder: string; from: string; to: string } {
  const [left, right] = [a.split('/').slice(0, -1), b.split('/').slice(0, -1)];
  let depth = 0;
  while (depth < left.length && left[depth] === right[depth]) depth++;
  return {
    folder: left.slice(0, depth).join('/') || '.',
    from: left[depth] ?? '.',
    to: right[depth] ?? '.',
  };
}
