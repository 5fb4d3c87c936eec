import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { sqlite, type TestDatabase } from '../support/databases.js';
import type { Scrape } from '../support/scrape.js';
import { startWatched, type WatchedApp } from '../support/watched-app.js';

const ALERTS = 'docs/alerts.yml';
const RUNBOOK = 'docs/runbook.md';
const PREFIX = 'nestjs_logout_';

/** What Prometheus itself adds to every series that it scrapes. */
const OF_THE_TARGET = ['job', 'instance'];

const COMMANDS =
  'status doctor revoke revoke-key purge migrate lower-bound raise-format new-history'.split(' ');

interface Rule {
  readonly name: string;
  readonly text: string;
  readonly expression: string;
}

const rules: Rule[] = readFileSync(ALERTS, 'utf8')
  .split(/^ +- alert: /m)
  .slice(1)
  .map((text) => ({
    name: text.slice(0, text.indexOf('\n')),
    text,
    expression: /^ +expr: (?:>-\n)?([\s\S]*?)\n +(?:for|labels):/m.exec(text)?.[1] ?? '',
  }));

const runbook = readFileSync(RUNBOOK, 'utf8');
const entries = runbook
  .split(/^## /m)
  .slice(1)
  .map((text) => ({ title: text.slice(0, text.indexOf('\n')), text }));

/** Every series of a rule: its metric, and the matchers in its braces. */
function seriesIn(expression: string): { metric: string; matchers: string }[] {
  return [...expression.matchAll(/(nestjs_logout_\w+)(?:\{([^}]*)\})?/g)].map(
    ([, metric = '', matchers = '']) => ({ metric, matchers }),
  );
}

function labelsOf(series: string): Map<string, string> {
  return new Map(
    [...series.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', value = '']) => [label, value]),
  );
}

describe('monitoring: rules, runbook and a scrape of a real application', () => {
  let database: TestDatabase;
  let here: WatchedApp;
  let scrape: Scrape;

  beforeAll(async () => {
    database = await sqlite.migrated();
    here = await startWatched('express', database.options);
    scrape = await here.scrape();
  });

  afterAll(async () => {
    await here?.close();
    await database?.drop();
  });

  const seriesOf = (metric: string): Map<string, string>[] =>
    scrape.series.filter((one) => one.replace(/\{.*/, '') === metric).map(labelsOf);

  it('each alert rule has all fields', () => {
    expect(rules.length).toBeGreaterThan(20);
    for (const { text } of rules) {
      expect(text).toMatch(/severity: (critical|warning|info)/);
      expect(text).toMatch(/summary: \S/);
    }
  });

  it.each(rules.map((rule) => [rule.name, rule] as const))(
    '%s uses a metric that the application exports',
    (_name, { expression }) => {
      const asked = seriesIn(expression);
      expect(asked.length).toBeGreaterThan(0);
      for (const { metric, matchers } of asked) {
        const told = seriesOf(metric);
        expect([metric, told.length > 0]).toEqual([metric, true]);
        const wanted = [...matchers.matchAll(/(\w+)=~?"([^"]*)"/g)];
        expect(matchers === '').toBe(wanted.length === 0);
        for (const [, label = '', pattern = ''] of wanted) {
          for (const value of pattern.split('|')) {
            expect(told.map((labels) => labels.get(label))).toContain(value);
          }
        }
      }
      const known = asked.flatMap(({ metric }) =>
        seriesOf(metric).flatMap((one) => [...one.keys()]),
      );
      const grouped = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) =>
        list.split(',').map((label) => label.trim()),
      );
      for (const label of grouped) expect([...OF_THE_TARGET, ...known]).toContain(label);
    },
  );

  it.each(rules.map((rule) => [rule.name, rule] as const))(
    '%s has its entry in the runbook, with what it means, where to look and what to do',
    (name, { text }) => {
      const anchor = name.toLowerCase();
      expect(text).toContain(`runbook_url: ${RUNBOOK}#${anchor}\n`);
      const entry = entries.find(({ title }) => title === name);
      for (const part of ['**Users**', '**Look**', '**Do**']) expect(entry?.text).toContain(part);
    },
  );

  it('every entry of the runbook belongs to an alert', () => {
    const titles = entries.map(({ title }) => title).filter((title) => title !== 'Metrics');
    expect(titles).toEqual(expect.arrayContaining(rules.map(({ name }) => name)));
    expect(titles).toHaveLength(rules.length);
  });

  it('the runbook names only commands that exist', () => {
    const named = [...runbook.matchAll(/npx nestjs-logout\s+([\w-]+)/g)].map(([, name]) => name);
    expect(named.length).toBeGreaterThan(10);
    for (const name of named) expect(COMMANDS).toContain(name);
  });

  it('the runbook lists every metric with its labels, and no other', () => {
    const listed = [...runbook.matchAll(/^\| `(\w+)` \| ([^|]*) \|/gm)].map(
      ([, name = '', labels = '']) => [name, labels.replaceAll(/[`\s]/g, '')],
    );
    const told = [...scrape.types.keys()].map((metric) => {
      const [first] = [...seriesOf(metric), ...seriesOf(`${metric}_count`)];
      return [metric.slice(PREFIX.length), [...(first?.keys() ?? [])].join(',')];
    });
    const byName = (lists: string[][]) => lists.toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1));
    expect(byName(listed)).toEqual(byName(told));
  });

  it('metric names follow Prometheus: our prefix, _total for counters, base units', () => {
    for (const [metric, type] of scrape.types) {
      expect(metric.startsWith(PREFIX)).toBe(true);
      expect([metric, metric.endsWith('_total')]).toEqual([metric, type === 'counter']);
      expect(metric).not.toMatch(/_(ms|milliseconds|kb|mb)(_|$)/);
    }
  });

  it('no label has a value that grows with users, sessions or tokens', async () => {
    const before = scrape.series.length;
    const tokens = await Promise.all(
      ['account-1', 'account-2', 'account-3'].map((name) => here.login(name)),
    );
    for (const token of tokens) {
      expect((await here.client.send('GET /me', { token })).status).toBe(200);
      await here.logout.logout(token);
      expect((await here.client.send('GET /me', { token })).status).toBe(401);
    }
    const after = await here.scrape();
    expect(after.series).toHaveLength(before);
    expect(after.text).not.toMatch(/account-\d/);
  });
});
