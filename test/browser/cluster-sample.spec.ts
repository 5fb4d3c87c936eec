import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ClusterSampleProcess, isAlive } from './cluster-sample-process.js';
import { eventually } from '../support/eventually.js';
import { Chromium, findChromium, type Tab } from './page-chromium.js';

// It starts a PostgreSQL, three instances and a browser, on a machine that is busy with other tests.
jest.setTimeout(240_000);
const PATIENCE = 60_000;

const path = findChromium();
if (path === undefined) {
  console.warn('test/browser/cluster-sample.spec.ts is skipped: no chromium in the PATH.');
}

const NAMES = ['A', 'B', 'C'] as const;
type Name = (typeof NAMES)[number];

/** What a lane of the page shows, as an expression. */
const lane = (name: Name): string => `document.getElementById('lane-${name}').dataset`;
const all = (condition: (name: Name) => string): string => NAMES.map(condition).join(' && ');
const READY = `document.getElementById('lane-C') && ${all((name) => `${lane(name)}.lapsed === 'false'`)}`;
const ALL_ACCEPT = all((name) => `${lane(name)}.last === 'accepted'`);

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
    await tab.until(READY, PATIENCE);
    return tab;
  }

  const press = (tab: Tab, name: Name, act: 'session' | 'pause' | 'kill' | 'cut') =>
    tab.evaluate(`document.querySelector('#lane-${name} [data-act="${act}"]').click()`);

  const shows = (tab: Tab, name: Name, what: string, value: string): Promise<void> =>
    tab.until(`${lane(name)}.${what} === '${value}'`, PATIENCE);

  const textOf = (tab: Tab, id: string): Promise<unknown> =>
    tab.evaluate(`document.getElementById('${id}').textContent`);

  it('an instance that is paused during a logout never accepts the token when it resumes', async () => {
    const tab = await open();
    await press(tab, 'A', 'session');
    await tab.until(ALL_ACCEPT, PATIENCE);

    await press(tab, 'B', 'pause');
    await shows(tab, 'B', 'state', 'paused');
    await press(tab, 'A', 'session');
    await shows(tab, 'A', 'last', 'refused');
    await shows(tab, 'C', 'last', 'refused');
    await shows(tab, 'B', 'last', 'waiting');
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
  });

  it('an instance that is cut off from the database answers 503, and after a kill and a restart it still refuses', async () => {
    const tab = await open();
    await press(tab, 'A', 'session');
    await tab.until(ALL_ACCEPT, PATIENCE);
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
    await shows(tab, 'B', 'state', 'running');
    await shows(tab, 'B', 'last', 'refused');
    expect(await textOf(tab, 'late')).toBe('0');
  });
});

describe('stopping sample/02-cluster', () => {
  it.each(['SIGINT', 'SIGKILL'] as const)(
    'ending the sample by %s stops every process of it, also the paused ones',
    async (signal) => {
      const sample = await ClusterSampleProcess.start({});
      try {
        const instances = await sample.instances();
        const pids = instances.map(({ pid }) => pid);
        expect(pids).toHaveLength(3);
        expect(pids.filter(isAlive)).toEqual(pids);
        // Pages of other sites can send this too, and say so.
        for (const origin of ['https://example.com', '']) {
          expect(await sample.press('instances/B/pause', origin)).toBe(403);
        }
        expect(await sample.press('instances/B/pause')).toBe(204);
        await sample.end(signal);
        // One that was killed is listed until the system has fetched it.
        await eventually(() => pids.filter(isAlive).length === 0);
        expect(sample.leftOnDisk()).toEqual([]);
      } finally {
        await sample.end('SIGTERM');
        sample.removeFolder();
      }
    },
  );
});
