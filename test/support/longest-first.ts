import { readFileSync } from 'node:fs';

interface TestFile {
  readonly path: string;
}

/** Seconds by spec file below `test/`, without its ending; `.ci/durations.js` writes it. */
const durations = JSON.parse(
  readFileSync(new URL('../../../test/durations.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, number>>;

/** A file that is not listed is short, or new: it runs after the long ones (s). */
const UNKNOWN = 5;

/** Starts the files that take longest first, so that no worker is left alone with one at the end. */
export default class LongestFirst {
  sort<T extends TestFile>(tests: readonly T[]): T[] {
    return tests.toSorted((a, b) => seconds(b) - seconds(a) || a.path.localeCompare(b.path));
  }

  /** The n-th part of the files, each part with its share of long ones. */
  shard<T extends TestFile>(
    tests: readonly T[],
    { shardIndex, shardCount }: { readonly shardIndex: number; readonly shardCount: number },
  ): T[] {
    return this.sort(tests).filter((_, i) => i % shardCount === shardIndex - 1);
  }

  /** Which files failed last time is not kept. */
  allFailedTests<T>(tests: readonly T[]): readonly T[] {
    return tests;
  }

  cacheResults(): void {
    // The durations are in the repository, so that a clean checkout has them.
  }
}

function seconds({ path }: TestFile): number {
  const name = /build\/test\/(.*)\.spec\.js$/.exec(path)?.[1] ?? '';
  return durations[name] ?? UNKNOWN;
}
