/** The colours of each scheme; the marks of a chart take theirs by the place of their series. */
const LIGHT = ['#0969da', '#bf8700', '#1a7f37', '#cf222e'];
const DARK = ['#4493f8', '#d29922', '#3fb950', '#f85149'];

/** A chart as wide as the README, in the colours of the reader's scheme. */
export function svg(title: string, height: number, body: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${CHART_WIDTH} ${height}" role="img" aria-labelledby="title" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="13">
  <title id="title">${escape(title)}</title>
  <style>
    .paper { fill: #ffffff } .ink { fill: #1f2328 } .soft { fill: #59636e } .rule { stroke: #d1d9e0 } .aim { stroke: #59636e; stroke-dasharray: 4 4 }
    ${colours(LIGHT)}
    .ours { font-weight: 600 } .value { stroke: #ffffff; stroke-width: 5px; stroke-linejoin: round; paint-order: stroke }
    @media (prefers-color-scheme: dark) {
      .paper { fill: #0d1117 } .ink { fill: #e6edf3 } .soft { fill: #9198a1 } .rule { stroke: #3d444d } .aim { stroke: #9198a1 } .value { stroke: #0d1117 }
      ${colours(DARK)}
    }
  </style>
  <rect class="paper" width="${CHART_WIDTH}" height="${height}" rx="8"/>
${body.map((line) => `  ${line}`).join('\n')}
</svg>
`;
}

export const CHART_WIDTH = 920;

/** One text, `anchor` being its end that is at `x`. */
export function text(
  x: number,
  y: number,
  value: string,
  kind = 'ink',
  anchor?: 'middle' | 'end',
): string {
  const end = anchor === undefined ? '' : ` text-anchor="${anchor}"`;
  return `<text class="${kind}" x="${round(x)}" y="${round(y)}"${end}>${escape(value)}</text>`;
}

/** A length with as many digits as can be seen. */
export function round(length: number): number {
  return Math.round(length * 10) / 10;
}

function colours(values: readonly string[]): string {
  return values.map((value, i) => `.s${i} { fill: ${value}; stroke: ${value} }`).join(' ');
}

function escape(value: string): string {
  return value.replaceAll('`', '').replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
