import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { ClusterSampleProcess, isAlive } from './cluster-sample-process.js';
import { Chromium, findChromium, type Tab } from './page-chromium.js';

// It starts a PostgreSQL, three instances and a browser, on a machine that is busy with other tests.
jest.setTimeout(120_000);

const path = findChromium();
if (path === undefined) {
  console.warn('test/e2e/cluster-sample.spec.ts is skipped: no chromium in the PATH.');
}

const NAMES = ['A', 'B', 'C'] as const;
type Name = (typeof NAMES)[number];

/** What a lane of the page shows, as an expression. */
const lane = (name: Name): string => `document.getElementById('lane-${name}').dataset`;
const all = (condition: (name: Name) => string): string => NAMES.map(condition).join(' && ');
const READY = `document.getElementById('lane-C') && ${all((name) => `${lane(name)}.lapsed === 'false'`)}`;

(path === undefined ? describe.skip : describe)('sample/02-cluster, in Chromium', () => {
  let sample: ClusterSampleProcess | undefined;
  let browser: Chromium;

  beforeAll(() => {
    browser = new Chromium(path ?? '');
  });

  afterAll(() => browser?.close());

  afterEach(async () => {
    await sample?.end('SIGTERM');
    sample?.removeFolder();
    sample = undefined;
  });

  async function open(): Promise<Tab> {
    sample = await ClusterSampleProcess.start({ MAX_STALENESS: '2', RATE: '20' });
    const tab = await browser.open(sample.url);
    await tab.until(READY);
    return tab;
  }

  const press = (tab: Tab, name: Name, act: 'session' | 'pause' | 'kill' | 'cut') =>
    tab.evaluate(`document.querySelector('#lane-${name} [data-act="${act}"]').click()`);

  const shows = (tab: Tab, name: Name, what: string, value: string): Promise<void> =>
    tab.until(`${lane(name)}.${what} === '${value}'`);

  const textOf = (tab: Tab, id: string): Promise<unknown> =>
    tab.evaluate(`document.getElementById('${id}').textContent`);

  it('paused, logged out, resumed: it refuses, and never accepts', async () => {
    const tab = await open();
    await press(tab, 'A', 'session');
    await tab.until(all((name) => `${lane(name)}.last === 'accepted'`));

    await press(tab, 'B', 'pause');
    await shows(tab, 'B', 'state', 'paused');
    await press(tab, 'A', 'session');
    await shows(tab, 'A', 'last', 'refused');
    await shows(tab, 'C', 'last', 'refused');
    expect(await tab.evaluate(`${lane('B')}.last`)).toBe('accepted');
    await tab.until(`${lane('B')}.bound === 'over' && ${lane('B')}.lapsed === 'true'`);

    // Whatever the page shows of B from here on.
    await tab.evaluate(`
      globalThis.seen = [];
      new MutationObserver(() => seen.push(${lane('B')}.last))
        .observe(document.getElementById('lane-B'), { attributeFilter: ['data-last'] });
    `);
    await press(tab, 'B', 'pause');
    await shows(tab, 'B', 'last', 'refused');
    await shows(tab, 'B', 'lapsed', 'false');
    const seen = (await tab.evaluate('seen')) as string[];
    expect(seen).not.toContain('accepted');
    expect(seen.at(-1)).toBe('refused');
    expect(await tab.evaluate(`${lane('B')}.late`)).toBe('0');
    expect(await textOf(tab, 'late')).toBe('0');
    const screenshot = process.env['CLUSTER_SCREENSHOT'];
    if (screenshot !== undefined) await capture(tab, screenshot);
  });

  /** The story above, and a 503 beside it, for the README. */
  async function capture(tab: Tab, file: string): Promise<void> {
    const size = { width: 1360, height: 1150, deviceScaleFactor: 1, mobile: false };
    await tab.send('Emulation.setDeviceMetricsOverride', size);
    await press(tab, 'A', 'session');
    await tab.until(all((name) => `${lane(name)}.last === 'accepted'`));
    await press(tab, 'C', 'cut');
    await shows(tab, 'C', 'last', 'unknown');
    await tab.until(`${lane('C')}.lapsed === 'true'`);
    await setTimeout(1_500);
    const { data } = (await tab.send('Page.captureScreenshot')) as { data: string };
    writeFileSync(file, Buffer.from(data, 'base64'));
  }

  it('cut off from the database it answers 503, killed it still refuses afterwards', async () => {
    const tab = await open();
    await press(tab, 'A', 'session');
    await tab.until(all((name) => `${lane(name)}.last === 'accepted'`));
    await press(tab, 'C', 'cut');
    await shows(tab, 'C', 'last', 'unknown');
    await shows(tab, 'A', 'last', 'accepted');
    await press(tab, 'C', 'cut');
    await shows(tab, 'C', 'last', 'accepted');

    await press(tab, 'B', 'kill');
    await shows(tab, 'B', 'state', 'gone');
    await press(tab, 'A', 'session');
    await shows(tab, 'A', 'last', 'refused');
    await press(tab, 'B', 'kill');
    await shows(tab, 'B', 'last', 'refused');
    expect(await textOf(tab, 'late')).toBe('0');
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
    'after %s nothing of it is left, nor of what it had paused',
    async (signal) => {
      const tab = await open();
      const pids = (await tab.evaluate(
        `[...document.querySelectorAll('[data-pid]')].map((each) => Number(/\\d+/.exec(each.textContent)))`,
      )) as number[];
      expect(pids).toHaveLength(3);
      expect(pids.every(isAlive)).toBe(true);
      await press(tab, 'B', 'pause');
      await shows(tab, 'B', 'state', 'paused');
      await sample?.end(signal);
      expect(pids.filter(isAlive)).toEqual([]);
      expect(sample?.leftOnDisk()).toEqual([]);
    },
  );
});
