import { amount } from './bench.js';

/** One comparison of the README: throughput against it, on each platform. */
export interface ReadmeRow {
  readonly label: string;
  readonly fastify: number;
  readonly express: number;
}

const LEFT = 360;
const WIDTH = 480;
const ROW = 64;
const TOP = 48;

/** The rows of the README as bars, in the colours of the reader's theme. */
export function ratioPicture(rows: readonly ReadmeRow[]): string {
  const longest = Math.max(...rows.flatMap(({ fastify, express }) => [fastify, express]));
  const bar = (kind: string, y: number, value: number): string => {
    const width = Math.max(2, (value / longest) * WIDTH).toFixed(1);
    const end = (LEFT + Number(width) + 8).toFixed(1);
    return (
      `  <rect class="${kind}" x="${LEFT}" y="${y}" width="${width}" height="18" rx="3"/>\n` +
      `  <text class="ink" x="${end}" y="${y + 14}">${amount(value, 'x')}</text>`
    );
  };
  const lines = rows.flatMap(({ label, fastify, express }, index) => {
    const y = TOP + index * ROW;
    const text = label.replaceAll('`', '').replaceAll('&', '&amp;').replaceAll('<', '&lt;');
    return [
      `  <text class="ink" x="${LEFT - 12}" y="${y + 25}" text-anchor="end">${text}</text>`,
      bar('fastify', y, fastify),
      bar('express', y + 22, express),
    ];
  });
  const height = TOP + rows.length * ROW;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 920 ${height}" role="img" aria-labelledby="title" font-family="system-ui, sans-serif" font-size="13">
  <title id="title">Throughput with nestjs-logout, compared with the same routes without it</title>
  <style>
    .paper { fill: #ffffff } .ink { fill: #1f2328 } .fastify { fill: #0969da } .express { fill: #8c959f }
    @media (prefers-color-scheme: dark) {
      .paper { fill: #0d1117 } .ink { fill: #e6edf3 } .fastify { fill: #4493f8 } .express { fill: #656c76 }
    }
  </style>
  <rect class="paper" width="920" height="${height}" rx="8"/>
  <rect class="fastify" x="${LEFT}" y="16" width="12" height="12" rx="2"/>
  <text class="ink" x="${LEFT + 20}" y="27">Fastify</text>
  <rect class="express" x="${LEFT + 90}" y="16" width="12" height="12" rx="2"/>
  <text class="ink" x="${LEFT + 110}" y="27">Express</text>
${lines.join('\n')}
</svg>
`;
}
