import { amount, type BenchTable, type Figure } from '../bench.js';
import { reasonOf } from './reasons.js';

/** One bench as Markdown, a missed target in plain sight. */
export function tableOf(table: BenchTable): string {
  const rows = table.figures.map((figure) => {
    const { name, value, unit, target = '', note = '' } = figure;
    return `| ${name} | ${amount(value, unit)} | ${target} | ${verdictOf(figure, table.node)} | ${note} |`;
  });
  return ['| what | figure | target | | note |', '|---|---|---|---|---|', ...rows].join('\n');
}

/** The target, and whether it is met; and the figures that name their comparison. */
export function summaryOf(tables: readonly BenchTable[]): string {
  const rows = tables.flatMap(({ node, figures }) =>
    figures
      .filter(({ target, peer }) => target !== undefined || peer !== undefined)
      .map((figure) => {
        const { name, value, unit, peer = '', target = '' } = figure;
        return `| ${name} | ${majorOf(node)} | ${amount(value, unit)} | ${peer} | ${target} | ${verdictOf(figure, node)} |`;
      }),
  );
  return ['| figure | Node | ours | peer | target | |', '|---|---|---|---|---|---|', ...rows].join(
    '\n',
  );
}

/** The number by which a Node is named. */
export function majorOf(node: string): string {
  return node.split('.')[0] ?? node;
}

function verdictOf({ name, met }: Figure, node: string): string {
  if (met === undefined) return '';
  if (met) return 'met';
  const reason = reasonOf(name, majorOf(node));
  return reason === undefined ? '**missed**' : `**missed**: ${reason}`;
}
