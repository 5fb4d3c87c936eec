import type { LoginResult, LogPosition, SessionService } from 'nestjs-logout';
import { type Equals, expectTrue } from './equals.js';

declare const sessions: SessionService;
declare const user: { id: number } | null;

// With a function the answer may be null, as the function's may.
const login = sessions.login(async () => user && { subject: user.id, claims: { name: 'Alice' } });
expectTrue<Equals<typeof login, Promise<LoginResult | null>>>();
void sessions.login(() => ({ subject: 'alice' }));
void sessions.login(() => null);

// With a position that was read before the password was compared it never is.
const since = await sessions.position();
expectTrue<Equals<typeof since, LogPosition>>();
const known = sessions.login({ subject: 1n }, { since });
expectTrue<Equals<typeof known, Promise<LoginResult>>>();

// @ts-expect-error a subject alone: it is unknown when its authority was checked
void sessions.login({ subject: 'alice' });
// @ts-expect-error the position is not a number that the caller makes up
void sessions.login({ subject: 'alice' }, { since: 7 });
// @ts-expect-error a subject is a string, number or bigint
void sessions.login(() => ({ subject: { id: 1 } }));
// @ts-expect-error no subject
void sessions.login(async () => ({ claims: {} }));

expectTrue<
  Equals<
    keyof LoginResult,
    | 'accessToken'
    | 'expiresIn'
    | 'refreshAt'
    | 'sessionId'
    | 'refreshToken'
    | 'refreshExpiresIn'
    | 'idleExpiresIn'
    | 'sessionExpiresIn'
    | 'persistent'
    | 'tokenType'
  >
>();

expectTrue<Equals<ReturnType<typeof sessions.refresh>, Promise<LoginResult>>>();
// @ts-expect-error a refresh token is a text
void sessions.refresh({ token: 'x' });
