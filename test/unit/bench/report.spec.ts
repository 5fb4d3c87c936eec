import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { atLeast, atMost, type BenchTable } from '../../bench/bench.js';
import { openReasons, pageOf } from '../../bench/report/page.js';
import { readmeOf } from '../../bench/report/readme.js';
import { reasonOf } from '../../bench/report/reasons.js';
import { merge, readResults, type Result, type Results } from '../../bench/report/results.js';

const table = (title: string, value: number, node = '20.1.0'): BenchTable => ({
  title,
  node,
  figures: [atLeast('fastify: tokens seen, 1e6', value, 'x', 1.4, 'half of the rounds 1.3-1.5')],
});
const result = (part: string, value: number, machine = 'Node 20.1.0, here, today.'): Result => ({
  part,
  took: 60,
  machine,
  table: table(`the title of ${part}`, value),
});
const results = (...parts: Result[]): Results => ({ versions: 'pg 8', parts });

describe('the page of the benchmarks', () => {
  it('the page says of each target whether it is met, and why it is missed', () => {
    const reasons = [{ figure: 'tokens seen', node: '20', because: 'The copy takes 2 µs.' }];
    expect(reasonOf('fastify: tokens seen, 1e6', '20', reasons)).toBe('The copy takes 2 µs.');
    expect(reasonOf('fastify: tokens seen, 1e6', '22', reasons)).toBeUndefined();
    expect(reasonOf('fastify: tokens never seen', '20', reasons)).toBeUndefined();
    const page = pageOf(results(result('guard', 1.2), result('peers', 1.5)));
    expect(page).toContain('| 1.2x |  | >= 1.4 | **missed** |');
    expect(page).toContain('| 1.5x |  | >= 1.4 | met |');
  });

  it('the page lists missed targets without a reason, and reasons that no target needs', () => {
    const missed = results(result('guard', 1.2));
    const reason = { figure: 'tokens seen', because: 'The copy takes 2 µs.' };
    expect(openReasons(missed, [])).toEqual(['no reason for: fastify: tokens seen, 1e6 (Node 20)']);
    expect(openReasons(missed, [reason])).toEqual([]);
    expect(openReasons(results(result('guard', 1.5)), [reason])).toEqual([
      'no missed target for the reason: tokens seen',
    ]);
  });

  it('the page names machine and day of a table if they differ from those of most tables', () => {
    const elsewhere = 'Node 20.1.0, elsewhere, tomorrow.';
    const page = pageOf(
      results(result('guard', 1.5), result('rates', 1.5), result('load', 1.5, elsewhere)),
    );
    expect(page.split(elsewhere)).toHaveLength(2);
    expect(page.split('Node 20.1.0, here, today.')).toHaveLength(2);
  });

  it('the page shows the packaged chart by its name, and the others by their address', () => {
    const plots = [
      { chart: 'requests', row: 'none', series: 'Fastify', value: 1 },
      { chart: 'rates', row: 'login', series: 'SQLite', value: 900 },
    ] as const;
    const drawn = { ...result('guard', 1), table: { ...table('A request', 1) } };
    const figures = [{ name: 'a', value: 1, unit: 'x', plots }];
    const page = pageOf(results({ ...drawn, table: { ...drawn.table, figures } }));
    expect(page).toContain('](benchmarks.svg)');
    expect(page).toMatch(
      /\]\(https:\/\/raw\.githubusercontent\.com\/[^)]+\/docs\/benchmarks-rates\.svg\)/,
    );
  });

  it('the page keeps the earlier figures of what was not measured, in the order of the page', () => {
    const former = results(
      result('guard', 1),
      result('load', 2),
      result('a bench that is gone', 3),
    );
    const { parts } = merge(
      former,
      [result('load', 4), result('rates', 5)],
      ['guard', 'rates', 'load'],
    );
    expect(parts.map(({ part, table: { figures } }) => [part, figures[0]?.value])).toEqual([
      ['guard', 1],
      ['rates', 5],
      ['load', 4],
    ]);
  });

  it('the README stays as it is if a row of its table was not measured', () => {
    const readme = 'a <!-- bench -->\nold\n<!-- /bench --> b';
    expect(readmeOf(readme, results(result('guard', 1.5)))).toBe(readme);
  });

  it('four rows of Fastify and Express are between the markers of the README', () => {
    const names = [
      'tokens seen, 1e6 live',
      'tokens never seen, throughput',
      'against the recipe of the Nest documentation',
      'against recipe + TypeORM findOne() on PostgreSQL',
    ];
    const figures = names.flatMap((name, i) => [
      { name: `fastify: ${name}`, value: 1 + i, unit: 'x' },
      { name: `express: ${name}`, value: 1.5 + i, unit: 'x' },
    ]);
    const guard = { ...result('guard', 1), table: { ...table('A request', 1), figures } };
    const written = readmeOf('a <!-- bench -->\nold\n<!-- /bench --> b', results(guard));
    expect(written).toContain('<!-- bench -->\nNode 20.1.0, here, today.\n');
    expect(written.match(/\| \dx \| [\d.]+x \|/g)).toEqual([
      '| 1x | 1.5x |',
      '| 2x | 2.5x |',
      '| 3x | 3.5x |',
      '| 4x | 4.5x |',
    ]);
    expect(written).toMatch(/<!-- \/bench --> b$/);
  });

  // Until the first run of this bench there are no results.
  (existsSync('docs/benchmarks.json') ? it : it.skip)(
    'is what its results and the reasons give: npm run bench -- --render',
    () => {
      expect(readFileSync('docs/benchmarks.md', 'utf8')).toBe(pageOf(readResults()));
    },
  );
});

describe('a figure with a target', () => {
  it('a figure is met at its limit and missed beyond it', () => {
    expect(atMost('a', 37, 'B', 37)).toMatchObject({ met: true, target: '<= 37' });
    expect(atMost('a', 37.1, 'B', 37).met).toBe(false);
    expect(atLeast('a', 0.97, 'x', 0.97)).toMatchObject({ met: true, target: '>= 0.97' });
    expect(atLeast('a', 0.969, 'x', 0.97).met).toBe(false);
  });
});
