import { round, svg, text } from './theme.js';

/** Lines over a logarithmic axis. */
export interface CurveChart {
  readonly title: string;
  readonly xLabel: string;
  readonly lines: readonly CurveLine[];
  /** A value with its own dashed line. */
  readonly line: { readonly at: number; readonly label: string };
  readonly write: (value: number) => string;
}

export interface CurveLine {
  readonly label: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const LEFT = 70;
const RIGHT = 850;
const TOP = 92;
const BOTTOM = 350;

/** Draws each line with markers of its own shape, so that the lines differ not only in colour. */
export function curveChart({ title, xLabel, lines, line, write }: CurveChart): string {
  const points = lines.flatMap((each) => each.points);
  const exponents = points.map(({ x }) => Math.log10(x));
  const [least, most] = [Math.floor(Math.min(...exponents)), Math.ceil(Math.max(...exponents))];
  const largest = Math.max(line.at, ...points.map(({ y }) => y)) * 1.1;
  const step = largest > 3 ? Math.ceil(largest / 6) : 0.5;
  const highest = Math.ceil(largest / step) * step;
  const xOf = (x: number): number =>
    round(LEFT + ((Math.log10(x) - least) / Math.max(1, most - least)) * (RIGHT - LEFT));
  const yOf = (y: number): number => round(BOTTOM - (y / highest) * (BOTTOM - TOP));
  const grid: string[] = [];
  for (let value = 0; value <= highest; value += step) {
    grid.push(
      `<line class="rule" x1="${LEFT}" x2="${RIGHT}" y1="${yOf(value)}" y2="${yOf(value)}"/>`,
      text(LEFT - 8, yOf(value) + 4, write(value), 'soft', 'end'),
    );
  }
  for (let exponent = least; exponent <= most; exponent++) {
    const label = (10 ** exponent).toLocaleString('en-US');
    grid.push(text(xOf(10 ** exponent), BOTTOM + 20, label, 'soft', 'middle'));
  }
  return svg(title, BOTTOM + 56, [
    text(20, 28, title, 'ink ours'),
    ...lines.flatMap(({ label }, i) => {
      const x = 26 + i * 220;
      return [mark(i, x, 56), text(x + 14, 61, label)];
    }),
    ...grid,
    `<line class="aim" x1="${LEFT}" x2="${RIGHT}" y1="${yOf(line.at)}" y2="${yOf(line.at)}"/>`,
    text(RIGHT, yOf(line.at) - 6, line.label, 'soft', 'end'),
    text((LEFT + RIGHT) / 2, BOTTOM + 44, xLabel, 'soft', 'middle'),
    ...lines.flatMap((each, i) => {
      const places = each.points
        .toSorted((a, b) => a.x - b.x)
        .map(({ x, y }) => [xOf(x), yOf(y)] as const);
      const path = places.map(([x, y]) => `${x} ${y}`).join(' L');
      return [
        `<path class="s${i}" style="fill:none" d="M${path}"/>`,
        ...places.map(([x, y]) => mark(i, x, y)),
      ];
    }),
  ]);
}

function mark(series: number, x: number, y: number): string {
  const kind = `class="s${series}"`;
  if (series === 0) return `<circle ${kind} cx="${x}" cy="${y}" r="5"/>`;
  if (series === 1)
    return `<rect ${kind} x="${round(x - 4.5)}" y="${round(y - 4.5)}" width="9" height="9"/>`;
  const corners = series === 2 ? [0, -6, 6, 5, -6, 5] : [0, -6.5, 6.5, 0, 0, 6.5, -6.5, 0];
  const pairs = Array.from({ length: corners.length / 2 }, (_, i) => {
    return `${round(x + (corners[2 * i] ?? 0))},${round(y + (corners[2 * i + 1] ?? 0))}`;
  });
  return `<polygon ${kind} points="${pairs.join(' ')}"/>`;
}
