import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { BenchTable } from '../bench.js';
import { machine, versions } from './machine.js';

const FILE = new URL('../../../../docs/benchmarks.json', import.meta.url);

/** One bench that was run, with all that its page needs. */
export interface Result {
  /** The bench, and the Node if it is another one: `'guard'`, `'guard on Node 22'`. */
  readonly part: string;
  /** Seconds. */
  readonly took: number;
  readonly machine: string;
  readonly table: BenchTable;
}

/** All results that the page is written from, in the order of the page. */
export interface Results {
  readonly versions: string;
  readonly parts: readonly Result[];
}

/** Describes where and when a bench was run. */
export function resultOf(part: string, took: number, table: BenchTable): Result {
  const here = machine().replace(`Node ${process.versions.node}`, `Node ${table.node}`);
  return { part, took, machine: here, table };
}

/** What the last runs left. */
export function readResults(): Results {
  if (!existsSync(FILE)) return { versions: versions(), parts: [] };
  return JSON.parse(readFileSync(FILE, 'utf8')) as Results;
}

/** Keeps the results in the repository. */
export function saveResults(results: Results): void {
  writeFileSync(FILE, `${JSON.stringify(results, null, 2)}\n`);
}

/**
 * Puts new results in the place of the former ones of the same parts.
 *
 * @param order - Of all parts. What is not in it, because the bench is gone, is left out.
 */
export function merge(
  former: Results,
  fresh: readonly Result[],
  order: readonly string[],
): Results {
  const parts = new Map([...former.parts, ...fresh].map((result) => [result.part, result]));
  return {
    versions: versions(),
    parts: order.flatMap((part) => parts.get(part) ?? []),
  };
}
