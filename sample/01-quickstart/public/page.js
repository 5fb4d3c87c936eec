import { Refused } from './api.js';
import { sentenceFor } from './sentences.js';
import { Session } from './session.js';

const form = byId('login');
const account = byId('account');
/** The address of the next page of sessions. */
let older;

const session = new Session({
  onBegin: () => void attempt(showAccount),
  onEnd: (answer) => {
    showLogin();
    say(sentenceFor(answer), answer.byHand ? 'status' : 'problem');
    // If the browser forbids storage, there is nothing to remove.
    emptyStorages().catch(() => {});
  },
});

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const { username, password } = Object.fromEntries(new FormData(form));
  void attempt(() => session.login(username, password, deviceName()), event.submitter);
});

// The browser may keep the page in memory and show it again by Back. So private data is removed.
addEventListener('pagehide', () => {
  session.leave();
  showLogin();
  say('');
});
addEventListener('pageshow', () => session.listen());
// When the page is visible again, it shows what happened elsewhere.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible' && session.isOpen) void attempt(showSessions);
});

session.listen();
form.hidden = false;

function showLogin() {
  account.replaceChildren();
  form.reset();
  form.hidden = false;
  byId('login-title').focus();
}

async function showAccount() {
  const view = byId('account-template').content.cloneNode(true);
  account.replaceChildren(view);
  form.hidden = true;
  form.reset();
  onClick('logout', () => session.logout());
  onClick('logout-everywhere', () => session.logoutEverywhere());
  onClick('more-sessions', () => showSessions(older, 'append'));
  byId('account-title').focus();
  say('You are logged in.');
  const { body: me } = await session.send('GET', '/me');
  account.querySelector('[data-name]')?.replaceChildren(me.sub);
  await showSessions();
}

/** The newest sessions, or those that follow. */
async function showSessions(path = '/auth/sessions', show = 'replaceChildren') {
  const { body: sessions, next } = await session.send('GET', path);
  // It may have ended while the list was loading.
  if (!session.isOpen) return;
  byId('sessions')?.[show](...sessions.map(itemOf));
  byId('more-sessions').hidden = next === undefined;
  older = next;
}

function itemOf({ id, current, device, ip, last_seen_at: seen, expires_at: end }) {
  const item = byId('session-template').content.cloneNode(true);
  const name = device ?? 'A device without a name';
  item.querySelector('[data-device]').textContent = name;
  item.querySelector('[data-current]').hidden = !current;
  item.querySelector('[data-ip]').textContent = ip ?? 'an unknown address';
  setTime(item.querySelector('[data-seen]'), seen);
  setTime(item.querySelector('[data-end]'), end);
  const button = item.querySelector('[data-end-it]');
  if (current) button.remove();
  button.setAttribute('aria-label', `Log out there: ${name}, last seen ${timeOf(seen)}`);
  button.addEventListener('click', () => {
    void attempt(async () => {
      await session.send('DELETE', `/auth/sessions/${encodeURIComponent(id)}`);
      say(`${name} is logged out.`);
      await showSessions();
      byId('sessions-title')?.focus();
    }, button);
  });
  return item;
}

function onClick(id, act) {
  const button = byId(id);
  button.addEventListener('click', () => void attempt(act, button));
}

/** Runs it once, however often the button is pressed, and shows what went wrong. */
async function attempt(act, button) {
  if (button?.disabled) return;
  if (button) button.disabled = true;
  byId('problem').textContent = '';
  try {
    await act();
  } catch (error) {
    const isLogin = button?.form === form;
    // The code that noticed the end of the login has shown its reason already.
    if (isLogin || session.isOpen) say(sentenceOf(error), 'problem');
    if (isLogin) byId('password').focus();
  } finally {
    if (button) button.disabled = false;
  }
}

function sentenceOf(error) {
  if (error instanceof Refused) return sentenceFor(error.answer);
  console.error(error);
  return sentenceFor({ status: 0 });
}

function say(sentence, where = 'status') {
  byId('status').textContent = where === 'status' ? sentence : '';
  byId('problem').textContent = where === 'problem' ? sentence : '';
}

/** This page stores nothing there. An application removes what it stored together with the login. */
async function emptyStorages() {
  localStorage.clear();
  sessionStorage.clear();
  const caches = (await globalThis.caches?.keys()) ?? [];
  const databases = (await indexedDB.databases?.()) ?? [];
  for (const { name } of databases) indexedDB.deleteDatabase(name);
  await Promise.all(caches.map((name) => globalThis.caches.delete(name)));
}

function setTime(element, iso) {
  element.dateTime = iso;
  element.textContent = timeOf(iso);
}

function timeOf(iso) {
  return new Date(iso).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

/** Roughly, for the list: enough for the owner to recognise it, and no more for others. */
function deviceName() {
  const { userAgent, userAgentData } = navigator;
  const browsers = ['Edg', 'OPR', 'Firefox', 'Chrome', 'Safari'];
  const names = { Edg: 'Edge', OPR: 'Opera' };
  const browser = browsers.find((each) => userAgent.includes(`${each}/`));
  const systems = ['Android', 'iPhone', 'iPad', 'Windows', 'Mac OS', 'Linux'];
  const system = userAgentData?.platform || systems.find((each) => userAgent.includes(each));
  return `${names[browser] ?? browser ?? 'Browser'} on ${system ?? 'an unknown system'}`;
}

function byId(id) {
  return document.getElementById(id);
}
