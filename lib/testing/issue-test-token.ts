import type { INestApplicationContext } from '@nestjs/common';
import { SessionService } from '../sessions/session.service.js';

/**
 * Logs a user in without a password, and returns the access token. The application's own key signs it, and
 * the application's logout revokes it. It needs the database of the log; without one, use `overrideAuth()`.
 *
 * @param subject - The `sub` of the token: the id of the user.
 * @param claims - Further claims of the token, as a login would return them.
 * @throws Error if the login was refused, for example because the account is locked.
 * @example
 * ```ts
 * const token = await issueTestToken(app, 'alice', { role: 'admin' });
 * await request(app.getHttpServer()).get('/me').set('authorization', `Bearer ${token}`).expect(200);
 * ```
 * @publicApi
 */
export async function issueTestToken(
  app: INestApplicationContext,
  subject: string | number | bigint,
  claims: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const login = await app.get(SessionService, { strict: false }).login(() => ({ subject, claims }));
  if (login === null) throw new Error('The login of issueTestToken was refused.');
  return login.accessToken;
}
