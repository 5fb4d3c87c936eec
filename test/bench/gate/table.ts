import { cpus } from 'node:os';
import type { Judgement } from './judge.js';

/** One line of the gate's table. */
export interface Figure extends Judgement {
  readonly name: string;
  /** `a second` is measured as seconds for each, and printed as a rate. */
  readonly unit: 'µs' | 'ms' | 'a second';
}

/** The table as Markdown; all ratios are of times, so that above 1 the head is slower. */
export function table(figures: readonly Figure[], base: string, head: string): string {
  return [
    `base ${base}, head ${head}, Node ${process.versions.node}, ${cpus().length} cores`,
    '',
    '| CPU time of one, if not said otherwise | base | head | time of the head / base | launches differ | base / base | |',
    '|---|---|---|---|---|---|---|',
    ...figures.map(
      ({ name, base, head, unit, ratio, spread, control, verdict }) =>
        `| ${name} | ${amount(base, unit)} | ${amount(head, unit)} | ${ratio.toFixed(3)} | ± ${percent(spread)} | ± ${percent(control)} | ${verdict === 'slower' ? '**slower**' : verdict} |`,
    ),
  ].join('\n');
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function amount(value: number, unit: Figure['unit']): string {
  if (unit === 'a second') return `${Math.round(1 / value).toLocaleString('en-US')} a second`;
  return `${value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(value < 1 ? 3 : 1)} ${unit}`;
}
