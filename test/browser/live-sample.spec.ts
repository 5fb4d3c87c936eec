import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
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
const ALL_OPEN = all(
  `card.dataset.state === 'open' && Number(card.querySelector('[data-orders]').textContent) >= 2`,
);
const ALL_ENDED = all(`card.dataset.state === 'ended'`);

const ended = (code: string, reason: string) => ({ state: 'ended', code, reason });
const LOGGED_OUT = {
  events: ended('session_ended', 'logout'),
  socket: ended('session_ended', 'logout'),
  // A close frame has no room for the reason beside the code.
  subscription: ended('session_ended', ''),
  messages: ended('session_ended', 'logout'),
};

(path === undefined ? describe.skip : describe)('sample/03-live, in Chromium', () => {
  let browser: Chromium;
  let sample: LiveSampleProcess;

  beforeAll(async () => {
    browser = new Chromium(path ?? '');
    sample = await LiveSampleProcess.start();
  });

  afterAll(async () => {
    await browser?.close();
    await sample?.end();
  });

  async function logIn(url = sample.url): Promise<Tab> {
    const tab = await browser.open(url);
    await tab.until(`document.readyState === 'complete' && globalThis.io && globalThis.graphqlWs`);
    await press(tab, '#login button');
    await tab.until(ALL_OPEN);
    return tab;
  }

  const press = (tab: Tab, selector: string): Promise<unknown> =>
    tab.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);

  it('four connections end with "Log out", each with its code; those of another login do not', async () => {
    const [mine, others] = [await logIn(), await logIn()];
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
    expect(await others.evaluate(CARDS)).toMatchObject({
      events: { code: 'session_ended' },
      socket: { code: 'session_ended' },
      subscription: { code: 'session_ended' },
      messages: { code: 'session_ended' },
    });
  });

  it('four connections end when their token expires', async () => {
    const shortLived = await LiveSampleProcess.start({ ACCESS_TOKEN_TTL: '4' });
    try {
      const tab = await logIn(shortLived.url);
      await tab.until(ALL_ENDED);
      expect(await tab.evaluate(CARDS)).toMatchObject({
        events: { code: 'token_expired' },
        socket: { code: 'token_expired' },
        subscription: { code: 'token_expired' },
        messages: { code: 'token_expired' },
      });
    } finally {
      await shortLived.end();
    }
  });
});

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
