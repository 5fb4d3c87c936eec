import { amount, type Figure } from '../bench.js';
import type { Results } from './results.js';

const MARKED = /(<!-- bench -->)[\s\S]*?(<!-- \/bench -->)/;

/** The rows of the README, by a part of the figure's name. */
const ROWS = [
  ["`AuthGuard('jwt')` with a KeyObject and no revocation, tokens seen", 'tokens seen, 1e6'],
  ['the same, tokens never seen', 'tokens never seen, throughput'],
  ['the recipe of the Nest documentation (string secret)', 'against the recipe of the Nest'],
  [
    'that recipe and a TypeORM `findOne()` on PostgreSQL',
    'recipe + TypeORM findOne() on PostgreSQL',
  ],
] as const;

/** The README with four ratios on the Node of the run; as it was where one of them was not measured. */
export function readmeOf(readme: string, { parts }: Results): string {
  const own = parts.filter(({ part }) => part === 'guard' || part === 'peers');
  const figures = own.flatMap(({ table }) => table.figures);
  const rows = ROWS.map(([label, part]) => {
    const [fastify, express] = ['fastify', 'express'].map((platform) =>
      ratio(figures, platform, part),
    );
    return { fastify, row: `| ${label} | ${fastify} | ${express} |` };
  });
  if (rows.some(({ fastify }) => fastify === undefined)) return readme;
  const machine = own[0]?.machine ?? '';
  return readme.replace(MARKED, (_, start: string, end: string) =>
    [
      start,
      machine,
      '',
      '| compared with | Fastify | Express |',
      '|---|---|---|',
      ...rows.map(({ row }) => row),
      end,
    ].join('\n'),
  );
}

function ratio(figures: readonly Figure[], platform: string, part: string): string | undefined {
  const figure = figures.find(
    ({ name }) => name.startsWith(`${platform}: `) && name.includes(part),
  );
  return figure && amount(figure.value, figure.unit);
}
