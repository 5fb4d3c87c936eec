import type { SessionService } from 'nestjs-logout';

/** A function that logs in a subject and returns the access token. */
export function loginBy(
  sessions: Pick<SessionService, 'login'>,
): (subject?: string) => Promise<string> {
  return async (subject = 'alice') => {
    const result = await sessions.login(async () => ({ subject }));
    if (result === null) throw new Error('login gave null');
    return result.accessToken;
  };
}
