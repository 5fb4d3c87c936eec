import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { describeOn, postgres } from '../support/databases.js';
import { LiveSampleProcess } from './live-sample-process.js';
import { Chromium, findChromium, type Tab } from './page-chromium.js';

const path = findChromium();
if (path === undefined) {
  console.warn('test/browser/live-sample.spec.ts is skipped: no chromium in the PATH.');
}

/** What the page shows of each connection. */
const CARDS = `Object.fromEntries([...document.querySelectorAll('article')].map(({ id, dataset }) => [id, { ...dataset }]))`;
const all = (condition: string): string =>
  `[...document.querySelectorAll('article')].every((card) => ${condition})`;
const HAD_ORDERS = `Number(card.querySelector('[data-orders]').textContent) >= 2`;
const ALL_OPEN = all(`card.dataset.state === 'open' && ${HAD_ORDERS}`);
const ALL_HAD_ORDERS = all(HAD_ORDERS);
const ALL_ENDED = all(`card.dataset.state === 'ended'`);

const ended = (code: string, reason: string) => ({ state: 'ended', code, reason });
const LOGGED_OUT = {
  events: ended('session_ended', 'logout'),
  socket: ended('session_ended', 'logout'),
  // A close frame has no room for the reason beside the code.
  subscription: ended('session_ended', ''),
  messages: ended('session_ended', 'logout'),
};

let browser: Chromium;

beforeAll(() => {
  if (path !== undefined) browser = new Chromium(path);
});
afterAll(() => browser?.close());

async function enter(url: string): Promise<Tab> {
  const tab = await browser.open(url);
  await tab.until(`document.readyState === 'complete' && globalThis.io && globalThis.graphqlWs`);
  await press(tab, '#login button');
  return tab;
}

async function logIn(url: string): Promise<Tab> {
  const tab = await enter(url);
  await tab.until(ALL_OPEN);
  return tab;
}

const press = (tab: Tab, selector: string): Promise<unknown> =>
  tab.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);

const allWith = (code: string) => ({
  events: { code },
  socket: { code },
  subscription: { code },
  messages: { code },
});

(path === undefined ? describe.skip : describe)('sample/03-live, in Chromium', () => {
  let sample: LiveSampleProcess;

  beforeAll(async () => {
    sample = await LiveSampleProcess.start();
  });
  afterAll(() => sample?.end());

  it('"Log out" closes all four connections of that login with their codes, and none of another login', async () => {
    const [mine, others] = [await logIn(sample.url), await logIn(sample.url)];
    await press(mine, '#logout');
    await mine.until(ALL_ENDED);
    expect(await mine.evaluate(CARDS)).toEqual(LOGGED_OUT);
    await shoot(mine);

    await others.evaluate(
      `for (const shown of document.querySelectorAll('[data-orders]')) shown.textContent = 0`,
    );
    await others.until(ALL_OPEN);
    await press(others, '#logout-all');
    await others.until(ALL_ENDED);
    expect(await others.evaluate(CARDS)).toMatchObject(allWith('session_ended'));
  });

  it('all four connections close when their token expires', async () => {
    // On a busy machine the page may not have opened the last of them within four seconds.
    let wereOpen = false;
    for (let seconds = 4; !wereOpen; seconds *= 2) {
      const shortLived = await LiveSampleProcess.start({ ACCESS_TOKEN_TTL: String(seconds) });
      try {
        const tab = await enter(shortLived.url);
        await tab.until(`(${ALL_OPEN}) || (${ALL_ENDED})`);
        await tab.until(ALL_ENDED);
        wereOpen = (await tab.evaluate(ALL_HAD_ORDERS)) as boolean;
        if (wereOpen) {
          expect(await tab.evaluate(CARDS)).toMatchObject(allWith('token_expired'));
        }
      } finally {
        await shortLived.end();
      }
    }
  });
});

describeOn(
  [{ ...postgres, available: postgres.available && path !== undefined }],
  'two processes of sample/03-live',
  (kind) => {
    it('"Log out everywhere" on one instance closes the connections on the other', async () => {
      const database = await kind.migrated();
      const env = {
        DATABASE_URL: database.url,
        AUTH_SECRET: 'of both instances: 32 bytes or more',
      };
      const samples: LiveSampleProcess[] = [];
      try {
        for (const each of [env, env]) samples.push(await LiveSampleProcess.start(each));
        const [here, there] = [await logIn(samples[0]!.url), await logIn(samples[1]!.url)];
        await press(here, '#logout-all');
        for (const tab of [here, there]) {
          await tab.until(ALL_ENDED);
          expect(await tab.evaluate(CARDS)).toMatchObject(allWith('session_ended'));
        }
      } finally {
        for (const each of samples) await each.end();
        await database.drop();
      }
    });
  },
);

/** The picture in the README of the sample: `LIVE_SCREENSHOT=sample/03-live/page.png`. */
async function shoot(tab: Tab): Promise<void> {
  const file = process.env['LIVE_SCREENSHOT'];
  if (file === undefined) return;
  const size = { width: 1000, height: 730, deviceScaleFactor: 1, mobile: false };
  await tab.send('Emulation.setDeviceMetricsOverride', size);
  await tab.send('Emulation.setScrollbarsHidden', { hidden: true });
  const { data } = (await tab.send('Page.captureScreenshot')) as { data: string };
  writeFileSync(file, Buffer.from(data, 'base64'));
}
