import type { LogPosition } from '../revocation/revocation-log.service.js';

/** Who logged in, as the application's own check found it. */
export interface AuthenticatedSubject {
  /** The account: a string, number or bigint, kept as a string of 1 to 255 characters. */
  readonly subject: string | number | bigint;
  /** What the token shall say beside the registered claims; readable by everybody who holds it. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** For a subject whose password was checked before `login` could read the position. */
export interface LoginSince {
  /** `await sessions.position()`, taken before the password was compared. */
  readonly since: LogPosition;
}

/** What a login gives. */
export interface LoginResult {
  readonly accessToken: string;
  /** Seconds until the access token expires. */
  readonly expiresIn: number;
  /** When to renew (epoch ms): a little before the expiry. */
  readonly refreshAt: number;
  /** The login's id: the claim `sid`, and what `logoutSession` takes. Not a secret. */
  readonly sessionId: string;
}
