import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Quickstart, startBoth } from '../support/both-platforms.js';
import { SHARED_SECRET } from '../support/mint-token.js';
import { DEMO_PASSWORD } from '../support/quickstart-client.js';

/** What the page reports about the end of a session. */
interface Ended {
  readonly status: number;
  readonly code?: string;
  readonly reason?: string;
}

/** The page's own script: plain JavaScript, so its types are said here. */
interface PageSession {
  readonly isOpen: boolean;
  listen(): void;
  leave(): void;
  login(username: string, password: string, device: string): Promise<void>;
  send(
    method: string,
    path: string,
  ): Promise<{ body: { sub: string; sid: string }; next: string | undefined }>;
  logout(): Promise<void>;
  logoutEverywhere(): Promise<void>;
  renew(): Promise<void>;
}

interface Tab {
  readonly session: PageSession;
  readonly ends: Ended[];
  readonly ended: Promise<void>;
}

type SessionClass = new (listeners: {
  onBegin: () => void;
  onEnd: (answer: Ended) => void;
}) => PageSession;

const SCRIPT = resolve('sample/01-quickstart/public/session.js');
const realFetch = globalThis.fetch;
const realNavigator = Object.getOwnPropertyDescriptor(globalThis, 'navigator');

let both: readonly [Quickstart, Quickstart];
let Session: SessionClass;
let tabs: Tab[] = [];
let sent: string[] = [];
/** Lets a test decide what happens while a request is in flight. */
let hold: ((path: string) => Promise<void>) | undefined;

beforeAll(async () => {
  both = await startBoth({ AUTH_SECRET: SHARED_SECRET });
  ({ Session } = (await import(pathToFileURL(SCRIPT).href)) as { Session: SessionClass });
});

afterAll(async () => {
  await Promise.all(both?.map(({ close }) => close()) ?? []);
});

beforeEach(() => {
  tabs = [];
  sent = [];
  hold = undefined;
  // What a browser has and this Node has not: addresses without a host, and locks.
  globalThis.fetch = async (path, init) => {
    if (!String(path).startsWith('/')) return realFetch(path, init);
    sent.push(`${init?.method} ${String(path)}`);
    await hold?.(String(path));
    return realFetch(both[0].client.url + String(path), init);
  };
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    value: { locks: new Locks() },
  });
});

afterEach(() => {
  for (const { session } of tabs) session.leave();
  globalThis.fetch = realFetch;
  if (realNavigator === undefined) Reflect.deleteProperty(globalThis, 'navigator');
  else Object.defineProperty(globalThis, 'navigator', realNavigator);
});

/** One after another, as `navigator.locks` does for all tabs of an origin. */
class Locks {
  private last: Promise<unknown> = Promise.resolve();

  request<T>(_name: string, work: () => Promise<T>): Promise<T> {
    const mine = this.last.then(work, work);
    this.last = mine.catch(() => undefined);
    return mine;
  }
}

function openTab(): Tab {
  const ends: Ended[] = [];
  let tell = (): void => undefined;
  const ended = new Promise<void>((done) => (tell = done));
  const session = new Session({
    onBegin: () => undefined,
    onEnd: (answer) => {
      ends.push(answer);
      tell();
    },
  });
  session.listen();
  const tab = { session, ends, ended };
  tabs.push(tab);
  return tab;
}

const logIn = ({ session }: Tab, username = 'alice'): Promise<void> =>
  session.login(username, DEMO_PASSWORD, 'a test');
const whoIs = async ({ session }: Tab): Promise<{ sub: string; sid: string }> =>
  (await session.send('GET', '/me')).body;
const refreshes = (): number => sent.filter((each) => each === 'POST /auth/refresh').length;

/** Two tabs in which a user has logged in, one after the other. */
async function twoTabs(): Promise<readonly [Tab, Tab]> {
  const [one, two] = [openTab(), openTab()];
  await logIn(one);
  await logIn(two);
  const { sid } = await whoIs(two);
  // The message is on its way to the first: a refresh asks for newer tokens.
  while ((await whoIs(one)).sid !== sid) await new Promise(setImmediate);
  return [one, two];
}

describe('two tabs of a browser', () => {
  it('two tabs share the last login, and the login before it ends', async () => {
    const one = openTab();
    await logIn(one);
    const { sid: former } = await whoIs(one);
    const two = openTab();
    await logIn(two);
    const { sid } = await whoIs(two);
    while ((await whoIs(one)).sid !== sid) await new Promise(setImmediate);
    const { body } = await two.session.send('GET', '/auth/sessions');
    const ids = (body as unknown as readonly { id: string }[]).map(({ id }) => id);
    expect(ids).toContain(sid);
    expect(ids).not.toContain(former);
    expect([...one.ends, ...two.ends]).toEqual([]);
  });

  it('both tabs are logged out when one logs out', async () => {
    const [one, two] = await twoTabs();
    await one.session.logout();
    await two.ended;
    expect([one.session.isOpen, two.session.isOpen]).toEqual([false, false]);
    expect(two.ends).toEqual([expect.objectContaining({ reason: 'logout' })]);
    await expect(two.session.send('GET', '/me')).rejects.toMatchObject({
      answer: { status: 401, code: 'token_missing' },
    });
  });

  it('both tabs are logged out when one logs out everywhere', async () => {
    const [one, two] = await twoTabs();
    await two.session.logoutEverywhere();
    await one.ended;
    expect([one.session.isOpen, two.session.isOpen]).toEqual([false, false]);
  });

  it('two tabs that want to refresh do so once', async () => {
    const [one, two] = await twoTabs();
    await Promise.all([one.session.renew(), two.session.renew()]);
    expect(refreshes()).toBe(1);
    expect([(await whoIs(one)).sub, (await whoIs(two)).sub]).toEqual(['alice', 'alice']);
  });

  it('two tabs stay logged in, whichever refreshes', async () => {
    const [one, two] = await twoTabs();
    for (const { session } of [one, two, two, one, one]) await session.renew();
    expect([(await whoIs(one)).sub, (await whoIs(two)).sub]).toEqual(['alice', 'alice']);
    expect([...one.ends, ...two.ends]).toEqual([]);
  });
});

describe('a logout', () => {
  it('a logout wins over a refresh that is in flight', async () => {
    const tab = openTab();
    await logIn(tab);
    let release = (): void => undefined;
    const arrived = new Promise<void>((reached) => {
      hold = (path) => {
        if (path !== '/auth/refresh') return Promise.resolve();
        reached();
        return new Promise<void>((done) => (release = done));
      };
    });
    const renewal = tab.session.renew();
    await arrived;
    await tab.session.logout();
    release();
    await renewal;
    expect(tab.session.isOpen).toBe(false);
    expect(tab.ends).toHaveLength(1);
  });

  it('a logout is sent again if the server could not store it', async () => {
    const tab = openTab();
    await logIn(tab);
    const { fetch } = globalThis;
    globalThis.fetch = (path, init) => {
      globalThis.fetch = fetch;
      sent.push(`${init?.method} ${String(path)}`);
      return Promise.resolve(new Response(null, { status: 503, headers: { 'retry-after': '1' } }));
    };
    await tab.session.logout();
    expect(sent.filter((each) => each === 'POST /auth/logout')).toHaveLength(2);
    expect(tab.session.isOpen).toBe(false);
  });

  it('a logout that did not reach the server keeps the session, so that it can be repeated', async () => {
    const tab = openTab();
    await logIn(tab);
    hold = () => Promise.reject(new Error('no network'));
    await expect(tab.session.logout()).rejects.toMatchObject({ answer: { code: 'unreachable' } });
    expect(tab.session.isOpen).toBe(true);
    hold = undefined;
    await tab.session.logout();
    expect(tab.session.isOpen).toBe(false);
  });
});

describe('the list of sessions', () => {
  it('the page follows the list of sessions page by page', async () => {
    const { client } = both[0];
    for (let i = 0; i < 51; i++) await client.login('alice');
    const tab = openTab();
    await logIn(tab);
    const first = await tab.session.send('GET', '/auth/sessions');
    expect(first.body).toHaveLength(50);
    expect(first.next).toMatch(/^\/auth\/sessions\?limit=50&after=/);
    const second = await tab.session.send('GET', first.next ?? '');
    expect(second.body).not.toHaveLength(0);
    expect(second.next).toBeUndefined();
  });
});

describe('a session that was ended elsewhere', () => {
  it('a session that was ended elsewhere is noticed at the next call, with its reason', async () => {
    const tab = openTab();
    await logIn(tab);
    const { sid } = await whoIs(tab);
    const { client } = both[0];
    const token = await client.login('alice');
    const { status } = await client.send(`/auth/sessions/${sid}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}` },
    });
    expect(status).toBe(204);
    await expect(tab.session.send('GET', '/me')).rejects.toMatchObject({ answer: { status: 401 } });
    expect(tab.session.isOpen).toBe(false);
    expect(tab.ends).toEqual([
      expect.objectContaining({ code: 'session_ended', reason: 'logged_out_elsewhere' }),
    ]);
  });
});
