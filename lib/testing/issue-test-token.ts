import type { INestApplicationContext } from '@nestjs/common';
import { SessionService } from '../sessions/session.service.js';

/**
 * An access token as a login would give it, without a password: signed by the application's own key,
 * and ended by the application's own logout.
 *
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
