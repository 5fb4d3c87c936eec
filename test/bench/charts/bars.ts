import { CHART_WIDTH, round, svg, text } from './theme.js';

/** Rows of horizontal bars. */
export interface BarChart {
  readonly title: string;
  /** Of the bars in each row, from its top down. */
  readonly series: readonly string[];
  readonly rows: readonly BarRow[];
  /** What the names of the rows take. */
  readonly left: number;
  /** A value as it is written behind its bar. */
  readonly write: (value: number) => string;
  /** A value with its own dashed line. */
  readonly line?: { readonly at: number; readonly label: string };
}

export interface BarRow {
  readonly label: string;
  /** In bold: it is about this library. */
  readonly isOurs?: boolean;
  /** One for each series; `undefined` where nothing was measured. */
  readonly values: readonly (number | undefined)[];
}

/** Right of the longest bar, for the text behind it. */
const RIGHT = 120;
const TOP = 62;
const BAR = 14;
const STEP = 17;
const GAP = 14;

/** Draws bars on one linear scale. */
export function barChart({ title, series, rows, left, write, line }: BarChart): string {
  const most = Math.max(line?.at ?? 0, ...rows.flatMap(({ values }) => values.map((v) => v ?? 0)));
  const lengthOf = (value: number): number =>
    Math.max(2, (value / most) * (CHART_WIDTH - left - RIGHT));
  const body = [text(20, 28, title, 'ink ours'), ...legend(series)];
  const drawn: string[] = [];
  let y = TOP;
  for (const { label, isOurs, values } of rows) {
    const bars = values.flatMap((value, i) => (value === undefined ? [] : [{ value, i }]));
    if (bars.length === 0) continue;
    const height = bars.length * STEP;
    drawn.push(text(left - 12, y + height / 2 + 3, label, isOurs ? 'ink ours' : 'ink', 'end'));
    for (const [place, { value, i }] of bars.entries()) {
      const top = y + place * STEP;
      const length = round(lengthOf(value));
      drawn.push(
        `<rect class="s${i}" x="${left}" y="${top}" width="${length}" height="${BAR}" rx="2"/>`,
        text(left + length + 7, top + 11.5, write(value), 'ink value'),
      );
    }
    y += height + GAP;
  }
  if (line !== undefined) {
    const x = round(left + lengthOf(line.at));
    body.push(
      `<line class="aim" x1="${x}" x2="${x}" y1="${TOP - 8}" y2="${y - 4}"/>`,
      text(x, y + 12, line.label, 'soft', 'middle'),
    );
    y += 18;
  }
  return svg(title, y + 6, [...body, ...drawn]);
}

function legend(series: readonly string[]): string[] {
  const step = 110;
  const start = CHART_WIDTH - 20 - series.length * step;
  return series.flatMap((name, i) => {
    const x = start + i * step;
    return [
      `<rect class="s${i}" x="${x}" y="17" width="12" height="12" rx="2"/>`,
      text(x + 18, 28, name),
    ];
  });
}
