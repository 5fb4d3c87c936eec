import { describe, expect, it } from '@jest/globals';
import type { Plot } from '../../bench/bench.js';
import { chartsOf } from '../../bench/charts/charts.js';

const bars: Plot[] = [
  { chart: 'requests', row: 'nestjs-logout, token seen before', series: 'Fastify', value: 1.4 },
  { chart: 'requests', row: 'nestjs-logout, token seen before', series: 'Express', value: 0.7 },
  { chart: 'requests', row: 'express-jwt <Map>', series: 'Express', value: 0.35 },
];
const points: Plot[] = [3, 4, 5].map((exponent) => {
  return { chart: 'growth', row: 'refresh', x: 10 ** exponent, value: exponent / 3 };
});

describe('the charts of the benchmarks', () => {
  it('each measured chart is one file, and no other chart is written', () => {
    expect(chartsOf([]).map(({ file }) => file)).toEqual([]);
    expect(chartsOf([...bars, ...points]).map(({ file }) => file)).toEqual([
      'benchmarks.svg',
      'benchmarks-growth.svg',
    ]);
  });

  it('a chart draws bars in proportion, and none for missing figures', () => {
    const [{ svg } = { svg: '' }] = chartsOf(bars);
    const widths = [...svg.matchAll(/<rect class="s\d" x="330" y="[\d.]+" width="([\d.]+)"/g)];
    expect(widths.map(([, width]) => Number(width))).toEqual([470, 235, 117.5]);
    expect(svg).toContain('express-jwt &lt;Map>');
    expect(svg).not.toContain('NaN');
  });

  it('a chart draws each decade at the same distance', () => {
    const [{ svg } = { svg: '' }] = chartsOf(points);
    const [, path = ''] = /d="M([^"]+)"/.exec(svg) ?? [];
    const xs = path.split(' L').map((point) => Number(point.split(' ')[0]));
    expect(xs).toEqual([70, 460, 850]);
    expect(svg).not.toContain('NaN');
  });

  it('a chart has colours for both colour schemes', () => {
    for (const { svg } of chartsOf([...bars, ...points])) {
      expect(svg).toContain('@media (prefers-color-scheme: dark)');
    }
  });
});
