import { AccountService, AuthException, type LoginResult } from 'nestjs-logout';
import type { Instance } from './instance.js';

/** `'good'`, or the code with which it was refused; any other error fails the test. */
export async function codeOf(act: Promise<unknown>): Promise<string> {
  try {
    await act;
    return 'good';
  } catch (error) {
    if (error instanceof AuthException) return error.code;
    throw error;
  }
}

export async function login(instance: Instance, subject: string): Promise<Required<LoginResult>> {
  return (await instance.sessions.login(() => ({ subject }))) as Required<LoginResult>;
}

/** Everything that ends a session from outside. */
export const ACTS: Readonly<
  Record<string, (on: Instance, subject: string, accessToken: string) => Promise<unknown>>
> = {
  logout: (on, _, token) => on.logout.logout(token),
  logoutAll: (on, subject) => on.logout.logoutAll(subject),
  lock: (on, subject) => on.app.get(AccountService).lock(subject, '1h'),
  passwordChanged: (on, subject) => on.app.get(AccountService).passwordChanged(subject),
  revokeEveryone: (on) => on.logout.revokeEveryone(),
};

/** Which of these tokens still work on any instance, after every instance has caught up. */
export async function alive(
  instances: readonly Instance[],
  logins: readonly (LoginResult | null | undefined)[],
): Promise<string[]> {
  const found: string[] = [];
  for (const given of logins) {
    if (given === null || given === undefined) continue;
    for (const [index, instance] of instances.entries()) {
      const verdict = await codeOf(
        instance.tokens.verify(given.accessToken, { freshness: 'strict' }),
      );
      if (verdict === 'good') found.push(`an access token on ${index}`);
      if (given.refreshToken === undefined) continue;
      if ((await codeOf(instance.sessions.refresh(given.refreshToken))) === 'good') {
        found.push(`a refresh token on ${index}`);
      }
    }
  }
  return found;
}
