import { amount, type Plot } from '../bench.js';
import { barChart } from './bars.js';
import { curveChart } from './curves.js';

/** A chart as a file of docs, and the words for those who do not see it. */
export interface Chart {
  readonly file: string;
  readonly alt: string;
  readonly svg: string;
}

/** What the README shows. */
export const README_CHART = 'benchmarks.svg';

/** Draws the measured charts; a chart without any figures is left out. */
export function chartsOf(plots: readonly Plot[]): Chart[] {
  const of = (chart: Plot['chart']): Plot[] => plots.filter((plot) => plot.chart === chart);
  const charts: readonly [file: string, alt: string, plots: Plot[], draw: Draw][] = [
    [
      README_CHART,
      'Throughput of a guarded request, for each way to check it',
      of('requests'),
      requests,
    ],
    [
      'benchmarks-rates.svg',
      'Logins, refreshes and logouts a second on one core',
      of('rates'),
      rates,
    ],
    [
      'benchmarks-growth.svg',
      'Cost of each act as the number of sessions and revocations grows',
      of('growth'),
      growth,
    ],
  ];
  return charts
    .filter(([, , measured]) => measured.length > 0)
    .map(([file, alt, measured, draw]) => ({ file, alt, svg: draw(measured) }));
}

type Draw = (plots: readonly Plot[]) => string;

function requests(plots: readonly Plot[]): string {
  return barChart({
    title: "Guarded requests a second, bare AuthGuard('jwt') = 1",
    series: ['Fastify', 'Express'],
    rows: rowsOf(plots, ['Fastify', 'Express']),
    left: 330,
    write: (value) => amount(value, 'x'),
    line: { at: 1, label: 'has no logout' },
  });
}

function rates(plots: readonly Plot[]): string {
  const series = ['PostgreSQL', 'MariaDB', 'SQLite'];
  return barChart({
    title: 'Acts a second on one core of the application (CPU of each)',
    series,
    rows: rowsOf(plots, series),
    left: 90,
    write: (value) =>
      `${Math.round(value).toLocaleString('en-US')} (${(1_000 / value).toFixed(2)} ms)`,
    line: { at: 1_000, label: 'target of login and refresh: 1,000' },
  });
}

function growth(plots: readonly Plot[]): string {
  return curveChart({
    title: 'Cost of one as the tables grow: the smallest = 1',
    xLabel: 'live revocations (guarded request) or sessions (refresh, list, logout)',
    lines: namesOf(plots).map((label) => ({
      label,
      points: plots
        .filter(({ row }) => row === label)
        .map(({ x = NaN, value }) => ({ x, y: value })),
    })),
    line: { at: 1.5, label: 'target: at most 1.5x' },
    write: (value) => amount(value, 'x'),
  });
}

function rowsOf(
  plots: readonly Plot[],
  series: readonly string[],
): Parameters<typeof barChart>[0]['rows'] {
  return namesOf(plots).map((label) => ({
    label,
    isOurs: label.startsWith('nestjs-logout'),
    values: series.map(
      (name) => plots.find((plot) => plot.row === label && plot.series === name)?.value,
    ),
  }));
}

function namesOf(plots: readonly Plot[]): string[] {
  return [...new Set(plots.map(({ row }) => row))];
}
