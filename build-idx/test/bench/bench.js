import { pathToFileURL } from 'node:url';
/** A figure that has to stay at or below a limit. */
export function atMost(name, value, unit, limit, note) {
  const figure = { name, value, unit, target: `<= ${limit}`, met: value <= limit };
  return note === undefined ? figure : { ...figure, note };
}
/** A figure that has to reach a limit. */
export function atLeast(name, value, unit, limit, note) {
  const figure = { name, value, unit, target: `>= ${limit}`, met: value >= limit };
  return note === undefined ? figure : { ...figure, note };
}
/** The middle value; of an even number, the mean of the two. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? NaN) + upper) / 2;
}
/**
 * Runs the variants in turn, `rounds` times, and returns the median milliseconds of each.
 *
 * The order rotates and is reversed every other round, so that no variant always runs first or always
 * after the same other one. Name one variant twice (an A/A control): their distance is the noise, and
 * nothing smaller may be claimed. `prepare` runs before each variant, untimed.
 */
export async function interleave(variants, rounds, prepare) {
  const names = Object.keys(variants);
  const times = new Map(names.map((name) => [name, []]));
  // The first round warms up and is thrown away.
  for (let round = 0; round <= rounds; round++) {
    const turn = names.map((_, i) => names[(i + round) % names.length]);
    if (round % 2 === 1) turn.reverse();
    for (const name of turn) {
      await prepare?.(name);
      const start = performance.now();
      await variants[name]();
      if (round > 0) times.get(name)?.push(performance.now() - start);
    }
  }
  const medians = names.map((name) => [name, median(times.get(name) ?? [])]);
  return Object.fromEntries(medians);
}
/** Bytes that are in use after a full collection, on the heap and beside it. Needs `--expose-gc`. */
export function usedBytes() {
  if (globalThis.gc === undefined) throw new Error('run node with --expose-gc');
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
/** The table as Markdown, a missed target in plain sight. */
export function format({ title, node, figures }) {
  const rows = figures.map(({ name, value, unit, target = '', met, note = '' }) => {
    const verdict = met === undefined ? '' : met ? 'met' : '**missed**';
    return `| ${name} | ${rounded(value)} ${unit} | ${target} | ${verdict} | ${note} |`;
  });
  return [
    `### ${title} (Node ${node})`,
    '',
    '| what | figure | target | | note |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
/** Runs a bench if its file was started by itself; called at the end of each of them. */
export async function runIfMain(url, run) {
  const started = process.argv[1];
  if (started === undefined || pathToFileURL(started).href !== url) return;
  console.log(format(await run()));
}
function rounded(value) {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}
