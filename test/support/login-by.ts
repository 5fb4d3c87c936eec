import type { SessionService } from 'nestjs-logout';

/** A function that logs a subject in and gives the access token. */
export function loginBy(
  sessions: Pick<SessionService, 'login'>,
): (subject?: string) => Promise<string> {
  return async (subject = 'alice') => {
    const result = await sessions.login(async () => ({ subject }));
    if (result === null) throw new Error('login gave null');
    return result.accessToken;
  };
}
