import { Inject, Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { randomUUID } from 'node:crypto';
import { KeyRing } from '../authentication/key-ring.service.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { subjectOf } from '../revocation/identifier.js';
import { RevocationLog, type LogPosition } from '../revocation/revocation-log.service.js';
import type { AuthenticatedSubject, LoginResult, LoginSince } from './login-context.js';
import { assertSignable } from './signable-claims.js';

/**
 * Begins sessions: reads the log's position, has the application check who it is, and signs.
 *
 * @publicApi
 */
@Injectable()
export class SessionService {
  constructor(
    private readonly log: RevocationLog,
    private readonly keys: KeyRing,
    private readonly jwt: JwtService,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * Where the log stands now, for a login whose password somebody else compares (passport-local): take
   * it **before** the comparison and pass it as `since`.
   *
   * @throws AuthUnavailableException `storage_unavailable` while the database cannot be read.
   */
  position(): Promise<LogPosition> {
    return this.log.position();
  }

  /**
   * Logs somebody in: `authenticate` runs after the log's position was read, so that a login checked
   * against an old password cannot survive the change of that password.
   *
   * @returns `null` when `authenticate` gave `null`.
   * @throws AuthUnavailableException `storage_unavailable`, or `no_signing_key` when the ring has no
   * key left that may sign.
   * @throws AuthException 400 `invalid_subject`.
   * @throws AuthWiringError for claims that look like secrets or that are the library's own.
   *
   * @example
   * ```ts
   * const login = await this.sessions.login(async () => {
   *   const user = await this.users.verify(name, password);
   *   return user && { subject: user.id, claims: { name: user.name } };
   * });
   * if (login === null) throw new UnauthorizedException();
   * return { access_token: login.accessToken };
   * ```
   */
  login(
    authenticate: () =>
      Promise<AuthenticatedSubject | null | undefined> | AuthenticatedSubject | null,
  ): Promise<LoginResult | null>;
  login(subject: AuthenticatedSubject, context: LoginSince): Promise<LoginResult>;
  async login(
    who:
      | AuthenticatedSubject
      | (() => Promise<AuthenticatedSubject | null | undefined> | AuthenticatedSubject | null),
    context?: LoginSince,
  ): Promise<LoginResult | null> {
    if (typeof who === 'function') {
      const since = await this.log.position();
      const subject = await who();
      return subject === null || subject === undefined ? null : this.sign(subject, since);
    }
    if (context?.since === undefined) {
      throw new AuthWiringError(
        'login(subject) was called without the position at which its authority was checked.',
        'Pass a function that checks the password: login(async () => …).',
        'Or take `since = await sessions.position()` before the check: login(subject, { since }).',
      );
    }
    return this.sign(who, context.since);
  }

  private async sign(
    { subject, claims = {} }: AuthenticatedSubject,
    { position, now }: LogPosition,
  ): Promise<LoginResult> {
    const { accessTokenTtl, allowedClaims } = this.options;
    assertSignable(claims, allowedClaims);
    const key = this.keys.signingKey();
    const sessionId = randomUUID();
    const iat = Math.floor(now / 1000);
    const exp = iat + accessTokenTtl / 1000;
    const payload = {
      ...claims,
      sub: subjectOf(subject),
      sid: sessionId,
      jti: randomUUID(),
      gen: position,
      iat,
      exp,
    };
    // JwtService adds iss and aud, and signs with the ring's key.
    const accessToken = await this.jwt.signAsync(payload, {
      algorithm: key.alg,
      keyid: key.kid,
      header: { alg: key.alg, typ: 'at+jwt' },
    });
    return {
      accessToken,
      expiresIn: exp - iat,
      refreshAt: (iat + (exp - iat) * 0.9) * 1000,
      sessionId,
    };
  }
}
