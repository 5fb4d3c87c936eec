import { Logger } from '@nestjs/common';
import 'reflect-metadata';
import type { BenchTable } from './bench.js';

// What the library says beside is not part of a table.
Logger.overrideLogger(['error']);

/** Runs one bench in its own process, so that no bench inherits another's heap. */
const { run } = (await import(`./${process.argv[2]}.bench.js`)) as {
  run: () => Promise<BenchTable>;
};
const table = await run();
process.send?.(table, () => process.exit(0));
