import { Injectable } from '@nestjs/common';
import { AccessTokenReader } from '../authentication/access-token.reader.js';
import { tokenMissing } from '../authentication/refusals.js';
import { TokenService } from '../authentication/token.service.js';
import { AuthException } from '../errors/auth.exception.js';
import { LogoutService } from '../logout/logout.service.js';
import type { TokenClaims } from '../revocation/token-claims.js';
import { RefreshService } from '../sessions/refresh.service.js';
import { refreshRefusal } from '../sessions/session-refusals.js';
import { AuthCookies } from './auth-cookies.service.js';
import { auditOf, badRequest, type HttpRequest, textOf } from './request-body.js';

/** A refresh token, and how it came. */
export interface PresentedRefreshToken {
  readonly token: string;
  readonly delivery: 'body' | 'cookie';
}

/** The sessions that a request can speak for, by whatever tokens it carries. */
@Injectable()
export class PresentedSessions {
  constructor(
    private readonly reader: AccessTokenReader,
    private readonly tokens: TokenService,
    private readonly refreshes: RefreshService,
    private readonly logoutService: LogoutService,
    private readonly cookies: AuthCookies,
  ) {}

  /** @throws AuthException 400 for two of them, 403 for another site's page. */
  refreshTokenOf(request: HttpRequest): PresentedRefreshToken | undefined {
    const inBody = textOf(request, 'refresh_token');
    const inCookie = this.cookies.refreshToken(request);
    if (inBody !== undefined && inCookie !== undefined) {
      throw badRequest('The request has a refresh token in its body and in a cookie.');
    }
    if (inBody !== undefined) return { token: inBody, delivery: 'body' };
    return inCookie === undefined ? undefined : { token: inCookie, delivery: 'cookie' };
  }

  /**
   * Ends the session of every valid token that the request holds: usually one, of which a browser sends
   * both tokens. Two cookies of one name are two tokens: a sibling subdomain that plants one keeps nobody
   * from logging out.
   *
   * An invalid token does not prevent the logout of a valid one. Different access tokens in header and
   * cookie are refused (400), and nothing ends.
   *
   * @throws AuthException why none could be ended; 503 also when only some could.
   */
  async end(request: HttpRequest): Promise<void> {
    const access = readOrRefusal(() => this.reader.readAll(request));
    const refresh = readOrRefusal(() => this.refreshTokensOf(request));
    const claims = await Promise.all(
      valuesOf(access).map((text) => refusalOf(this.claimsOf(text))),
    );
    const tokens = valuesOf(refresh);
    const sids = await Promise.all(tokens.map((text) => refusalOf(this.sidOf(text))));
    const own = claims.filter((each): each is TokenClaims => !(each instanceof AuthException));
    const others = new Set(sids.filter((each) => typeof each === 'string'));
    if (own.length + others.size === 0) {
      const refusals = [access, ...claims, refresh, ...sids];
      throw refusals.find((each) => each instanceof AuthException) ?? tokenMissing();
    }
    for (const each of own) {
      await this.logoutService.logout(each, auditOf(request));
      others.delete(each.sid ?? '');
    }
    for (const sid of others) {
      await this.logoutService.logoutSession(sid, { reason: 'logout', ...auditOf(request) });
    }
    for (const [index, token] of tokens.entries()) {
      if (typeof sids[index] === 'string') await this.refreshes.usedInLogout(token);
    }
  }

  /** The session that this browser holds: a login replaces it (RT-10). */
  async held(request: HttpRequest): Promise<string | undefined> {
    if (!this.cookies.isOn) return undefined;
    try {
      return await this.sidOfCookies(request);
    } catch (error) {
      // Whatever is wrong with old cookies keeps nobody from logging in; not even a 503, since the
      // login that follows finds out by itself whether the database is there.
      if (error instanceof AuthException) return undefined;
      throw error;
    }
  }

  private async sidOfCookies(request: HttpRequest): Promise<string | undefined> {
    const refresh = this.cookies.refreshToken(request);
    const session = refresh === undefined ? undefined : await this.refreshes.find(refresh);
    if (session !== undefined) return session.endedAt === null ? session.sid : undefined;
    const access = this.reader.read(request);
    return access === undefined ? undefined : (await this.claimsOf(access)).sid;
  }

  private refreshTokensOf(request: HttpRequest): string[] {
    const inBody = textOf(request, 'refresh_token');
    const found = this.cookies.refreshTokens(request);
    return [...new Set(inBody === undefined ? found : [inBody, ...found])];
  }

  private claimsOf(token: string): Promise<TokenClaims> {
    return this.tokens.verify(token, { allowExpired: true });
  }

  private async sidOf(token: string): Promise<string> {
    const session = await this.refreshes.find(token);
    if (session === undefined) throw refreshRefusal('refresh_token_invalid');
    return session.sid;
  }
}

/** The tokens, or the 401 of what stands in their place; every other refusal is thrown. */
function readOrRefusal(read: () => string[]): string[] | AuthException {
  try {
    return read();
  } catch (error) {
    if (error instanceof AuthException && error.getStatus() === 401) return error;
    throw error;
  }
}

function valuesOf(tokens: string[] | AuthException): string[] {
  return tokens instanceof AuthException ? [] : tokens;
}

/** The value, or the refusal; what is no refusal (503, a wiring error) is thrown. */
async function refusalOf<T>(attempt: Promise<T>): Promise<T | AuthException> {
  try {
    return await attempt;
  } catch (error) {
    if (error instanceof AuthException && error.getStatus() < 500) return error;
    throw error;
  }
}
