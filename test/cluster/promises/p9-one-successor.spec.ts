import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout } from 'node:timers/promises';
import {
  databaseKinds,
  describeOn,
  type DatabaseKind,
  type TestDatabase,
} from '../../support/databases.js';
import { SHARED_SECRET } from '../../support/mint-token.js';
import { type Answer, DEMO_PASSWORD } from '../../support/quickstart-client.js';
import { QuickstartProcess } from '../../support/quickstart-process.js';
import { rounds } from '../../support/rounds.js';

/** Fewer than what a session may rotate in the life of an access token. */
const ROUNDS = 10;
/** 100 rounds in parts, a session each: each part has the time of a test. */
const PARTS = Array.from({ length: rounds(1, 10) }, (_, part) => part + 1);
const PARALLEL = 50;
/** How often a client asks again, a second apart, before it accepts a 503 as the answer. */
const TRIES = 60;

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly session_id: string;
}

describe('P9: a refresh token has one successor, however many ask and how often', () => {
  afterAll(() => QuickstartProcess.stopAll());

  describeOn(databaseKinds, 'processes', (kind: DatabaseKind) => {
    // Two processes on one SQLite file can keep each other waiting: README, "Databases".
    const count = kind.name === 'SQLite' ? 1 : 2;
    let database: TestDatabase;
    let processes: QuickstartProcess[] = [];

    beforeAll(async () => {
      database = await kind.migrated();
      // On a busy machine the last of those that ask at once may be answered after the usual 10 s.
      const env = {
        DATABASE_URL: database.url,
        AUTH_SECRET: SHARED_SECRET,
        REFRESH_GRACE: '600',
      };
      for (let i = 0; i < count; i++) processes.push(await QuickstartProcess.start(env));
    });

    afterAll(async () => {
      await Promise.all(processes.map((each) => each.stop()));
      processes = [];
      await database?.drop();
    });

    const title = `gives ${PARALLEL} at once the same one, ${ROUNDS} times (${count} of them, %i)`;
    it.each(PARTS)(title, async () => {
      const at = (i: number): QuickstartProcess => processes[i % count] as QuickstartProcess;
      const login = await at(0).post('/auth/login', {
        body: { username: 'alice', password: DEMO_PASSWORD },
      });
      const { session_id } = login.body as Tokens;
      let { refresh_token } = login.body as Tokens;
      for (let round = 0; round < ROUNDS; round++) {
        const body = { refresh_token };
        const answers = await Promise.all(
          Array.from({ length: PARALLEL }, (_, i) =>
            persist(() => at(i).post('/auth/refresh', { body })),
          ),
        );
        const refused = answers.filter(({ status }) => status !== 200);
        expect(refused.map(({ status, body: why }) => [status, why])).toEqual([]);
        const tokens = answers.map((answer) => answer.body as Tokens);
        expect(new Set(tokens.map((each) => each.refresh_token)).size).toBe(1);
        expect(new Set(tokens.map((each) => each.session_id))).toEqual(new Set([session_id]));
        refresh_token = tokens[0]?.refresh_token ?? '';
        if (round > 0) continue;
        for (const [i, { access_token }] of tokens.entries()) {
          expect(await persist(() => at(i + 1).get('/me', access_token))).toMatchObject({
            status: 200,
          });
        }
      }
      const { access_token } = (await at(0).post('/auth/refresh', { body: { refresh_token } }))
        .body as Tokens;
      const sessions = await at(1).get('/auth/sessions', access_token);
      expect(sessions.body).toContainEqual(
        expect.objectContaining({ id: session_id, current: true }),
      );
    });
  });
});

/** A process that gets no turn answers 503; a client then asks again. */
async function persist(ask: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 0; ; tries++) {
    const answer = await ask();
    if (answer.status !== 503 || tries === TRIES) return answer;
    await setTimeout(1_000);
  }
}
