import { mintToken } from '../support/mint-token.js';
import { DEMO_PASSWORD } from '../support/quickstart-client.js';
import type { QuickstartProcess } from '../support/quickstart-process.js';

/** Callers at a time, and what each of them does in one load. */
const CALLERS = 6;
const ROUNDS = 30;

/** Each caller logs in with a password in one round of so many: checking one is slow on purpose. */
const LOGIN_EACH = 15;

/** The result of a load. */
export interface Load {
  /** Each sort of call with the status of its answer, by how often that was. */
  readonly answers: Readonly<Record<string, number>>;
  /** The tokens that were logged out. */
  readonly ended: readonly string[];
}

/** Its result if nothing was refused except what had to be. */
export const UNDISTURBED = {
  'me 200': 2 * CALLERS * ROUNDS,
  'logout 204': CALLERS * ROUNDS,
  'me after the logout 401': CALLERS * ROUNDS,
  'login 200': (CALLERS * ROUNDS) / LOGIN_EACH,
  'refresh 200': (CALLERS * ROUNDS) / LOGIN_EACH,
} as const;

/** Logs in and out at the instances by turns, several callers at a time. */
export async function load(instances: readonly QuickstartProcess[]): Promise<Load> {
  const answers: Record<string, number> = {};
  const ended: string[] = [];
  const note = (call: string, status: number): void => {
    const key = `${call} ${status}`;
    answers[key] = (answers[key] ?? 0) + 1;
  };
  const call = async (caller: number): Promise<void> => {
    for (let round = 0; round < ROUNDS; round++) {
      const here = instances[(caller + round) % instances.length] as QuickstartProcess;
      const there = instances[(caller + round + 1) % instances.length] as QuickstartProcess;
      const token = mintToken();
      note('me', await here.me(token));
      note('me', await there.me(token));
      note('logout', await there.logout(token));
      note('me after the logout', await there.me(token));
      ended.push(token);
      if (round % LOGIN_EACH === 0) await logIn(here, there, note);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, caller) => call(caller)));
  return { answers, ended };
}

/** A login here whose first refresh goes there. */
async function logIn(
  here: QuickstartProcess,
  there: QuickstartProcess,
  note: (call: string, status: number) => void,
): Promise<void> {
  const body = { username: 'alice', password: DEMO_PASSWORD };
  const login = await here.post('/auth/login', { body });
  note('login', login.status);
  const { refresh_token } = login.body as { refresh_token?: string };
  const refresh = await there.post('/auth/refresh', { body: { refresh_token } });
  note('refresh', refresh.status);
}
