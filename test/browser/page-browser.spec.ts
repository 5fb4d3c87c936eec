import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { sqlite, type TestDatabase } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { DEMO_PASSWORD } from '../support/quickstart-client.js';
import { QuickstartProcess } from '../support/quickstart-process.js';
import { Chromium, findChromium, type Tab } from './page-chromium.js';

const path = findChromium();
if (path === undefined) {
  console.warn('test/browser/page-browser.spec.ts is skipped: no chromium in the PATH.');
}

const LOGGED_IN = `document.getElementById('logout') && document.querySelector('#sessions li')`;
const LOGGED_OUT = `!document.getElementById('login').hidden && document.getElementById('account').childElementCount === 0`;
const PRIVATE = `/alice|Last seen/.test(document.body.innerText.replace(document.getElementById('hint').innerText, ''))`;
/** Notes the bodies of the renewals that succeed: each has the token that it used. */
const NOTE_RENEWALS = `
  const send = window.fetch;
  window.renewed = [];
  window.fetch = async (path, init) => {
    const response = await send(path, init);
    if (path === '/auth/refresh' && response.ok) renewed.push(init.body);
    return response;
  };
`;

(path === undefined ? describe.skip : describe)('the page, in Chromium', () => {
  let database: TestDatabase;
  let server: QuickstartProcess;
  let browser: Chromium;

  beforeAll(() => {
    browser = new Chromium(path ?? '');
  });

  afterAll(() => browser?.close());

  beforeEach(async () => {
    database = await sqlite.migrated();
    server = await QuickstartProcess.start({ DATABASE_URL: database.url });
  });

  afterEach(async () => {
    await QuickstartProcess.stopAll();
    await database.drop();
  });

  async function logIn(): Promise<Tab> {
    const tab = await browser.open(server.url);
    await tab.until(`document.readyState === 'complete' && ${LOGGED_OUT}`);
    await enter(tab);
    return tab;
  }

  /** As a person does: the fields, and the button. */
  async function enter(tab: Tab): Promise<void> {
    await tab.evaluate(`
      document.getElementById('username').value = 'alice';
      document.getElementById('password').value = ${JSON.stringify(DEMO_PASSWORD)};
      document.querySelector('#login button').click();
    `);
    await tab.until(LOGGED_IN);
  }

  const press = (tab: Tab, id: string): Promise<unknown> =>
    tab.evaluate(`document.getElementById(${JSON.stringify(id)}).click()`);

  it('a logout in one tab logs out the other tab too, and no private data stays in either', async () => {
    const [one, two] = [await logIn(), await logIn()];
    const screenshot = process.env['PAGE_SCREENSHOT'];
    if (screenshot !== undefined) {
      const { data } = (await two.send('Page.captureScreenshot')) as { data: string };
      writeFileSync(screenshot, Buffer.from(data, 'base64'));
    }
    await one.evaluate(`localStorage.setItem('a', 'b'); sessionStorage.setItem('a', 'b')`);
    await press(one, 'logout');
    for (const tab of [one, two]) {
      await tab.until(LOGGED_OUT);
      expect(await tab.evaluate(PRIVATE)).toBe(false);
      expect(await tab.evaluate(`document.getElementById('password').value`)).toBe('');
      expect(await tab.evaluate('localStorage.length + sessionStorage.length')).toBe(0);
      expect(await tab.evaluate('document.cookie')).toBe('');
      expect(await tab.evaluate('indexedDB.databases()')).toEqual([]);
    }
  });

  it.each(['logout', undefined])(
    'the Back button shows nothing private after a logout (%s before it)',
    async (button) => {
      const tab = await logIn();
      if (button !== undefined) {
        await press(tab, button);
        await tab.until(LOGGED_OUT);
      }
      await tab.evaluate(`location.assign('/health')`);
      await tab.until(`location.pathname === '/health' && document.readyState === 'complete'`);
      await tab.evaluate('history.back()');
      await tab.until(`location.pathname === '/' && ${LOGGED_OUT}`);
      expect(await tab.evaluate(PRIVATE)).toBe(false);
    },
  );

  it('a page in the back/forward cache is stored empty, and shows its data again when it comes back', async () => {
    const tab = await logIn();
    const turn = (type: string): Promise<unknown> =>
      tab.evaluate(`dispatchEvent(new PageTransitionEvent('${type}', { persisted: true }))`);
    await turn('pagehide');
    expect(await tab.evaluate(LOGGED_OUT)).toBe(true);
    expect(await tab.evaluate(PRIVATE)).toBe(false);
    await turn('pageshow');
    expect(await tab.evaluate(LOGGED_OUT)).toBe(true);
    await enter(tab);
  });

  it('the page refreshes tokens in the background, once for two tabs', async () => {
    await server.stop();
    // A renewal is due after some three seconds.
    server = await QuickstartProcess.start({ DATABASE_URL: database.url, ACCESS_TOKEN_TTL: '4' });
    const [one, two] = [await logIn(), await logIn()];
    // A busy machine may renew again meanwhile: what counts is that no token is used by both tabs.
    for (const tab of [one, two]) await tab.evaluate(NOTE_RENEWALS);
    const used = async (): Promise<string[]> =>
      [await one.evaluate('renewed'), await two.evaluate('renewed')].flat() as string[];
    await eventually(async () => (await used()).length > 0);
    // Behind every page that waits for the lock as well.
    for (const tab of [one, two]) {
      await tab.evaluate(`navigator.locks.request('nestjs-logout:renewal', () => undefined)`);
    }
    const tokens = await used();
    expect(tokens).not.toEqual([]);
    expect(tokens).toEqual([...new Set(tokens)]);
    for (const tab of [one, two]) {
      expect(await tab.evaluate(`Boolean(${LOGGED_IN})`)).toBe(true);
      expect(await tab.evaluate(`document.getElementById('problem').textContent`)).toBe('');
    }
  });

  it('the page lists the sessions page by page', async () => {
    const body = { username: 'alice', password: DEMO_PASSWORD };
    for (let i = 0; i < 51; i++) {
      expect((await server.post('/auth/login', { body })).status).toBe(200);
    }
    const tab = await logIn();
    const shown = `document.querySelectorAll('#sessions li').length`;
    const isLast = `document.getElementById('more-sessions').hidden`;
    await tab.until(`${shown} === 50 && !${isLast}`);
    await press(tab, 'more-sessions');
    await tab.until(`${shown} === 52 && ${isLast}`);
    expect(
      await tab.evaluate(`document.querySelectorAll('[data-current]:not([hidden])').length`),
    ).toBe(1);
  });

  it('the page logs out everywhere', async () => {
    const tab = await logIn();
    const elsewhere = await server.login('alice');
    await press(tab, 'logout-everywhere');
    await tab.until(LOGGED_OUT);
    expect(await server.me(elsewhere)).toBe(401);
  });
});
