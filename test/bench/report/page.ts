import { chartsOf, README_CHART } from '../charts/charts.js';
import { GUIDE } from './guide.js';
import { fits, type Reason, reasonOf } from './reasons.js';
import type { Results } from './results.js';
import { majorOf, summaryOf, tableOf } from './table.js';

/** Where the charts are that the package, which has the page, leaves out. */
const DOCS = 'https://raw.githubusercontent.com/nestjs-logout/nestjs-logout/main/docs/';

/** docs/benchmarks.md, written from the results alone. */
export function pageOf({ versions, parts }: Results): string {
  const tables = parts.map(({ table }) => table);
  const usual = mostFrequent(parts.map(({ machine }) => machine));
  const charts = chartsOf(tables.flatMap(({ figures }) => figures.flatMap((f) => f.plots ?? [])));
  const minutes = parts.reduce((sum, { took }) => sum + took, 0) / 60;
  return [
    '# Benchmarks',
    '',
    usual,
    '',
    `${versions}.`,
    '',
    ...charts.flatMap(({ file, alt }) => [
      `![${alt}](${file === README_CHART ? '' : DOCS}${file})`,
      '',
    ]),
    '## Targets',
    '',
    summaryOf(tables),
    '',
    `Written by \`npm run bench\` from \`docs/benchmarks.json\`; do not edit it by hand. Run it yourself: it takes about ${Math.ceil(minutes)} minutes.`,
    '',
    GUIDE,
    '## Every figure',
    '',
    ...parts.flatMap((part) => [
      `### ${part.table.title} (Node ${part.table.node})`,
      '',
      ...(placeOf(part.machine) === placeOf(usual) ? [] : [part.machine, '']),
      tableOf(part.table),
      '',
    ]),
  ].join('\n');
}

/** What a run leaves to say: missed targets without a reason, and reasons that nothing needs. */
export function openReasons({ parts }: Results, reasons: readonly Reason[]): string[] {
  const missed = parts.flatMap(({ table }) =>
    table.figures
      .filter(({ met }) => met === false)
      .map(({ name }) => ({ name, node: majorOf(table.node) })),
  );
  return [
    ...missed
      .filter(({ name, node }) => reasonOf(name, node, reasons) === undefined)
      .map(({ name, node }) => `no reason for: ${name} (Node ${node})`),
    ...reasons
      .filter((reason) => !missed.some(({ name, node }) => fits(reason, name, node)))
      .map(({ figure }) => `no missed target for the reason: ${figure}`),
  ];
}

/** Machine and day, whatever the Node. */
function placeOf(machine: string): string {
  return machine.slice(machine.indexOf(', ') + 2);
}

function mostFrequent(values: readonly string[]): string {
  const count = (value: string): number => values.filter((other) => other === value).length;
  return values.reduce(
    (best, value) => (count(value) > count(best) ? value : best),
    values[0] ?? '',
  );
}
