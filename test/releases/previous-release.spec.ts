import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { secretKid } from 'nestjs-logout';
import { DataSource } from 'typeorm';
import { describeOn, serverKinds, sqlite, type TestDatabase } from '../support/databases.js';
import { startInstance } from '../support/instance.js';
import { mintToken, SHARED_SECRET } from '../support/mint-token.js';
import {
  hasPreviousRelease,
  makePreviousRelease,
  type PreviousRelease,
} from '../support/previous-release.js';
import { QuickstartProcess } from '../support/quickstart-process.js';
import { run } from '../support/command.js';
import { claimsIn, headPosition, readEvents } from '../support/log-tables.js';
import { adminToken, Crossing, expectAnswer, logIn, type Login, until } from './crossing.js';

/** Verified by every instance and used for no login, so that each step can revoke one. */
const OTHER_SECRETS = ['second', 'third', 'fourth', 'fifth'].map(
  (number) => `the ${number} secret of the tests: 32 bytes`,
);

type Release = 'previous' | 'new';

let previous: PreviousRelease;

const isThere = hasPreviousRelease();

beforeAll(() => {
  if (isThere) previous = makePreviousRelease();
});

afterAll(() => previous?.remove());

function start(release: Release, { url }: TestDatabase): Promise<QuickstartProcess> {
  const env = {
    DATABASE_URL: url,
    AUTH_SECRET: [SHARED_SECRET, ...OTHER_SECRETS].join(),
    ACCESS_TOKEN_TTL: '3600',
    REFRESH_GRACE: '60',
  };
  return release === 'new'
    ? QuickstartProcess.start({ ...env, PLATFORM: 'fastify' })
    : QuickstartProcess.start(env, undefined, previous.main);
}

/**
 * Everything that one release can say to the other, from `here` to `there`.
 *
 * @param unused - Secrets of which none has been revoked; this revokes one.
 */
async function crossOver(
  crossing: Crossing,
  unused: string[],
  [from, here]: readonly [Release, QuickstartProcess],
  there: QuickstartProcess,
): Promise<void> {
  const both = [here, there];

  const login = await crossing.logIn(`of the ${from} release`, here);
  await until('a login is accepted by the other release', 200, () => there.me(login.access_token));
  await crossing.refresh(`of the ${from} release`, there);
  await crossing.refresh(`of the ${from} release`, here);

  // An answer that was lost: the retry gets the same successor, from whichever release.
  const { refresh_token } = await crossing.logIn(`retried, of the ${from} release`, here);
  const first = await expectAnswer(here, '/auth/refresh', 200, { refresh_token });
  const again = await expectAnswer(there, '/auth/refresh', 200, { refresh_token });
  const successorOf = (answer: unknown): unknown =>
    (answer as Record<string, unknown>)['refresh_token'];
  expect(successorOf(again)).toBe(successorOf(first));
  crossing.alive.set(`retried, of the ${from} release`, again as typeof login);

  const out = await logIn(here, 'admin');
  await expectAnswer(here, '/auth/logout', 204, undefined, out.access_token);
  await crossing.expectEnded(`a logout at the ${from} release`, out, both);
  await expectAnswer(there, '/auth/refresh', 401, { refresh_token: out.refresh_token });

  const everywhere = await logIn(there, 'alice');
  await expectAnswer(here, '/auth/logout-all', 204, undefined, everywhere.access_token);
  await crossing.expectEnded(`logout-all at the ${from} release`, everywhere, both);
  const after = await logIn(there, 'alice');
  const { refresh_token: next } = after;
  await expectAnswer(here, '/auth/refresh', 200, { refresh_token: next });

  const locked = await logIn(there, 'bob');
  await expectAnswer(here, '/admin/users/bob/lock', 204, { seconds: 86_400 }, adminToken());
  await crossing.expectEnded(`a lock at the ${from} release`, locked, both);
  const body = { username: 'bob', password: 'correct horse battery staple' };
  const refused = await there.post('/auth/login', { body });
  expect([refused.status, refused.body]).toEqual([
    401,
    expect.objectContaining({ code: 'account_locked' }),
  ]);
  await expectAnswer(there, '/admin/users/bob/unlock', 204, undefined, adminToken());
  await logIn(here, 'bob');

  const secret = unused.pop() as string;
  const signed = mintToken({ sub: 'admin', exp: Math.floor(Date.now() / 1000) + 3600 }, secret);
  for (const one of both)
    await until('a token of another key is accepted', 200, () => one.me(signed));
  const path = `/admin/keys/${secretKid(secret)}/revoke`;
  await expectAnswer(here, path, 204, undefined, adminToken());
  await crossing.expectEnded(
    `revoking a key at the ${from} release`,
    { access_token: signed },
    both,
  );
}

const kinds = serverKinds.map((kind) => ({ ...kind, available: kind.available && isThere }));

describeOn(kinds, 'the previous release beside this one', (kind) => {
  let database: TestDatabase;
  let source: DataSource;
  const crossing = new Crossing();
  const unused = [...OTHER_SECRETS];
  let older: QuickstartProcess;
  let newer: QuickstartProcess;

  beforeAll(async () => {
    database = await kind.create();
    older = await start('previous', database);
    source = await new DataSource(database.options).initialize();
  });

  afterAll(async () => {
    await QuickstartProcess.stopAll();
    await source?.destroy();
  });

  it('the previous release knows the logins and revocations from before this one', async () => {
    await crossing.logIn('from before the deployment', older);
    const out = await logIn(older, 'admin');
    await expectAnswer(older, '/auth/logout', 204, undefined, out.access_token);
    await crossing.expectEnded('a logout before the deployment', out, [older]);
    newer = await start('new', database);
    await crossing.expectKept(newer);
    await crossing.expectKept(older);
  });

  it('this release follows the previous one', () =>
    crossOver(crossing, unused, ['previous', older], newer));

  it('the previous release follows this one', () =>
    crossOver(crossing, unused, ['new', newer], older));

  it('the previous release signs no auth_time, and this one reads it from the row of the session', async () => {
    for (const first of [older, newer]) {
      const login = await logIn(first, 'admin');
      const refresh = async (at: QuickstartProcess, { refresh_token }: Login): Promise<Login> =>
        (await expectAnswer(at, '/auth/refresh', 200, { refresh_token })) as Login;
      const atOlder = await refresh(older, login);
      expect(claimsIn(atOlder.access_token)['auth_time']).toBeUndefined();
      const atNewer = await refresh(newer, atOlder);
      const started = claimsIn(login.access_token)['iat'];
      expect(claimsIn(atNewer.access_token)['auth_time']).toBe(started);
    }
  });

  it('the previous release still refuses what this one has purged because a later event covers it', async () => {
    // Three logouts everywhere of one account; the purge leaves the last of them.
    const first = await logIn(older, 'alice');
    await expectAnswer(newer, '/auth/logout-all', 204, undefined, first.access_token);
    await crossing.expectEnded('a logout-all that was purged', first, [older, newer]);
    const covered = await headPosition(source);
    // It stops where the covered event is the last that it has seen, and has to load anew.
    older.pause();
    for (let count = 0; count < 2; count++) {
      const again = await logIn(newer, 'alice');
      await expectAnswer(newer, '/auth/logout-all', 204, undefined, again.access_token);
      await crossing.expectEnded('a later logout-all', again, [newer]);
    }
    await source.query(`UPDATE auth_event SET created_at = created_at - ${11 * 60_000}`);
    const out = await logIn(newer, 'admin');
    await expectAnswer(newer, '/auth/logout', 204, undefined, out.access_token);
    await crossing.expectEnded('a logout after the purge', out, [newer]);
    const purger = await startInstance(database);
    await purger.purge.purge();
    await purger.close();
    expect((await readEvents(source)).map(({ position }) => position)).not.toContain(covered);

    older.resume();
    await crossing.expectEnded('a logout after the purge', out, [older]);
    await crossing.expectKept(older);
    const another = await start('previous', database);
    await crossing.expectKept(another);
    await another.stop();
  });

  it('a roll-back to the previous release logs no one out, and accepts no revoked token', async () => {
    await newer.stop();
    await crossing.expectKept(older);
    const another = await start('previous', database);
    await crossing.expectKept(another);
    await another.stop();
  });

  it('deploying this release again logs no one out, and accepts no revoked token', async () => {
    const out = await logIn(older, 'admin');
    await expectAnswer(older, '/auth/logout', 204, undefined, out.access_token);
    await crossing.expectEnded('a logout after the rollback', out, [older]);
    newer = await start('new', database);
    await crossing.expectKept(newer);
    await crossing.expectKept(older);
  });

  it('the previous release keeps the format from being raised, and cannot start after that was done', async () => {
    const refused = await run(database, 'raise-format 2 --yes');
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('are running')]);
    await crossing.expectKept(older);
    await older.stop();
    expect((await run(database, 'raise-format 2 --yes')).code).toBe(0);
    await crossing.expectKept(newer);
    await expect(start('previous', database)).rejects.toThrow(/the revocation log has format 2/);
  });
});

(isThere ? describe : describe.skip)('the previous release and this one in turns on SQLite', () => {
  let database: TestDatabase;
  const crossing = new Crossing();
  const unused = [...OTHER_SECRETS];
  let running: QuickstartProcess;

  beforeAll(async () => {
    database = await sqlite.create();
  });

  afterAll(async () => {
    await QuickstartProcess.stopAll();
    await database?.drop();
  });

  it.each<[Release, string]>([
    ['previous', 'makes the file'],
    ['new', 'is deployed'],
    ['previous', 'is rolled back to'],
    ['new', 'is deployed again'],
  ])(
    'no one is logged out, and no revoked token is accepted, when the %s one %s',
    async (release, step) => {
      await running?.stop();
      running = await start(release, database);
      await crossing.expectKept(running);
      await crossOver(crossing, unused, [release, running], running);
      await crossing.logIn(`when it ${step}`, running);
    },
  );
});
