import { setTimeout } from 'node:timers/promises';
import { mintToken } from '../support/mint-token.js';
import { DEMO_PASSWORD } from '../support/quickstart-client.js';
import type { QuickstartProcess } from '../support/quickstart-process.js';

/** How long a refusal may take to reach another instance on the busiest machine (ms). */
const LONGEST = 60_000;

/** The tokens of a login. */
export interface Login {
  readonly access_token: string;
  readonly refresh_token: string;
}

/** What is sent to one release and must hold on another. Remembers what has to stay so. */
export class Crossing {
  /** Logins that must stay valid, whatever is deployed or rolled back. */
  readonly alive = new Map<string, Login>();
  /** Access tokens that must stay refused, with what ended them. */
  readonly ended = new Map<string, string>();

  /** Logs in and remembers it under a name, as one that must stay valid. */
  async logIn(name: string, at: QuickstartProcess, username = 'admin'): Promise<Login> {
    const login = await logIn(at, username);
    this.alive.set(name, login);
    return login;
  }

  /** Refreshes a login that must stay valid. */
  async refresh(name: string, at: QuickstartProcess): Promise<void> {
    const { refresh_token } = this.alive.get(name) as Login;
    this.alive.set(
      name,
      (await expectAnswer(at, '/auth/refresh', 200, { refresh_token })) as Login,
    );
  }

  /** Sees a token refused everywhere, and remembers that it must stay so. */
  async expectEnded(
    what: string,
    { access_token }: Pick<Login, 'access_token'>,
    at: readonly QuickstartProcess[],
  ): Promise<void> {
    this.ended.set(access_token, what);
    for (const one of at) {
      await until(`the token that ${what} ended is refused`, 401, () => one.me(access_token));
    }
  }

  /**
   * Checks that all users who were logged in still are, and that no revoked token is accepted
   * again.
   */
  async expectKept(at: QuickstartProcess): Promise<void> {
    for (const [name, { access_token }] of this.alive) {
      await until(`the login "${name}" is accepted`, 200, () => at.me(access_token));
      await this.refresh(name, at);
    }
    for (const [token, what] of this.ended) {
      const status = await at.me(token);
      if (status !== 401) throw new Error(`What ${what} ended is answered ${status}, not 401.`);
    }
  }
}

/** Logs in by a password, and throws if that fails. */
export async function logIn(at: QuickstartProcess, username: string): Promise<Login> {
  const body = { username, password: DEMO_PASSWORD };
  return (await expectAnswer(at, '/auth/login', 200, body)) as Login;
}

/** Sends a request, and throws with the answer if it is not the expected one. */
export async function expectAnswer(
  at: QuickstartProcess,
  path: string,
  expected: number,
  body?: object,
  token?: string,
): Promise<unknown> {
  const answer = await at.post(path, {
    ...(body === undefined ? {} : { body }),
    ...(token === undefined ? {} : { token }),
  });
  if (answer.status === expected) return answer.body;
  throw new Error(
    `${path} at ${at.url} answered ${answer.status}, not ${expected}: ${JSON.stringify(answer.body)}`,
  );
}

/** An admin's token, which no session of this test revokes. */
export function adminToken(): string {
  return mintToken({ sub: 'admin', role: 'admin' });
}

/** Asks until the answer is as expected; says which one it was when it never is. */
export async function until(
  what: string,
  expected: number,
  ask: () => Promise<number>,
): Promise<void> {
  const end = performance.now() + LONGEST;
  let seen = await ask();
  while (seen !== expected) {
    if (performance.now() > end) throw new Error(`Not so: ${what}. The last answer is ${seen}.`);
    await setTimeout(20);
    seen = await ask();
  }
}
