// Prints how many files of dist one request runs through: npm run walk
// Add --files to list them. V8's precise coverage counts the calls of named functions in dist while
// the quick-start answers on SQLite. Polls and timers run beside a request, so each act is done several
// times, and only the files that ran every time count.
import { Session } from 'node:inspector/promises';
import { parseArgs } from 'node:util';
import 'reflect-metadata';

const ROUNDS = 5;
const DIST = new URL('../dist/', import.meta.url).href;
const ACTS = [
  { name: 'guarded request', limit: 14 },
  { name: 'remembered token', limit: 10 },
  { name: 'login', limit: 28 },
  { name: 'refresh', limit: 28 },
  { name: 'logout', limit: 28 },
];

const { values } = parseArgs({ options: { files: { type: 'boolean' } } });
const [{ createApp }, { readSettings }] = await Promise.all([
  import('../build/sample/01-quickstart/create-app.js'),
  import('../build/sample/01-quickstart/settings.js'),
]);
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });

const secret = 'a secret of 32 bytes and no commas';
const app = await createApp(
  readSettings({ DATABASE_URL: 'sqlite::memory:', AUTH_SECRET: secret, MAX_STALENESS: '3600' }),
);
await app.listen(0, '127.0.0.1');
const url = await app.getUrl();

const seen = new Map(ACTS.map(({ name }) => [name, []]));
await walk(); // The first request of each kind fills the caches.
seen.forEach((rounds) => rounds.splice(0));
for (let i = 0; i < ROUNDS; i++) await walk();
await app.close();

for (const { name, limit } of ACTS) {
  const [first, ...others] = seen.get(name);
  const files = [...first].filter((file) => others.every((other) => other.has(file))).toSorted();
  const folders = new Set(files.map((file) => file.replace(/[^/]*$/, '')));
  const over = files.length > limit ? `, ${files.length - limit} over` : '';
  console.log(
    `${name.padEnd(16)} ${String(files.length).padStart(3)} files in ${folders.size} folders (limit ${limit}${over})`,
  );
  if (values.files) for (const file of files) console.log(`  ${file}`);
}

/** Each act once. */
async function walk() {
  const pair = await act('login', () =>
    post('/auth/login', {}, { username: 'alice', password: 'correct horse battery staple' }),
  );
  await act('guarded request', () => get('/me', bearer(pair)));
  await act('remembered token', () => get('/me', bearer(pair)));
  const next = await act('refresh', () =>
    post('/auth/refresh', {}, { refresh_token: pair.refresh_token }),
  );
  await get('/me', bearer(next)); // A client uses its token before it logs out.
  await act('logout', () => post('/auth/logout', bearer(next)));
}

async function act(name, send) {
  await session.post('Profiler.takePreciseCoverage'); // Resets the counts.
  const response = await send();
  const body = await response.text();
  const { result } = await session.post('Profiler.takePreciseCoverage');
  if (!response.ok) throw new Error(`${name} answered ${response.status}: ${body}`);
  const ran = result
    .filter(({ url }) => url.startsWith(DIST))
    .filter(({ functions }) =>
      functions.some(({ functionName, ranges }) => functionName !== '' && ranges[0].count > 0),
    )
    .map(({ url }) => url.slice(DIST.length));
  seen.get(name).push(new Set(ran));
  return body === '' ? undefined : JSON.parse(body);
}

function bearer({ access_token }) {
  return { authorization: `Bearer ${access_token}` };
}

function get(path, headers) {
  return fetch(url + path, { headers });
}

function post(path, headers, body) {
  const json = body === undefined ? {} : { 'content-type': 'application/json' };
  return fetch(url + path, {
    method: 'POST',
    headers: { ...headers, ...json },
    body: JSON.stringify(body),
  });
}
