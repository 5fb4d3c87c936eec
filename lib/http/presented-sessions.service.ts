import { Injectable } from '@nestjs/common';
import { AuthException, refusal } from '../errors/auth.exception.js';
import { TokenSource } from '../authentication/token-source.js';
import { TokenService } from '../authentication/token.service.js';
import { LogoutService } from '../logout/logout.service.js';
import type { TokenClaims } from '../options/token-claims.js';
import { RefreshTokenLookup } from '../sessions/refresh-token-lookup.service.js';
import { AuthCookies } from './auth-cookies.service.js';
import { auditOf, badRequest, type HttpRequest, textOf } from './request-body.js';

/**
 * How many refresh tokens with a foreign check value are looked up for one request. A browser sends none,
 * or one of a former key. A header has room for 200, which would fill the queue that all clients share.
 */
const MOST_STRANGERS = 20;

/** A refresh token, and how it came. */
interface PresentedRefreshToken {
  readonly token: string;
  readonly delivery: 'body' | 'cookie';
}

/** The sessions that belong to the tokens of a request. */
@Injectable()
export class PresentedSessions {
  constructor(
    private readonly reader: TokenSource,
    private readonly tokens: TokenService,
    private readonly refreshTokens: RefreshTokenLookup,
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
   * both tokens. Two cookies of one name are two tokens: a sibling subdomain that plants one does
   * not prevent a logout. Of refresh tokens without a right check value at most 20 are looked up.
   *
   * An invalid token does not prevent the logout of a valid one, nor does one that cannot be looked up
   * now. Different access tokens in header and cookie are refused (400), and nothing ends.
   *
   * @throws AuthException why none could be ended; 503 also when only some could.
   */
  async end(request: HttpRequest): Promise<void> {
    const access = valueOrRefusal(() => this.reader.readAll(request));
    const refresh = valueOrRefusal(() => this.refreshTokensOf(request));
    const tokens = listOf(refresh);
    const claims = await Promise.all(
      listOf(access).map((text) => valueOrError(this.claimsOf(text))),
    );
    const sids = await Promise.all(tokens.map((text) => valueOrError(this.sidOf(text))));
    const errors = [access, ...claims, refresh, ...sids].filter((each) => each instanceof Error);
    const failures = errors.filter((error) => !isRefusal(error));
    const ended = new Set<string>();
    const attempt = async (sid: string, end: () => Promise<unknown>): Promise<void> => {
      const failure = await valueOrError(end());
      if (failure instanceof Error) failures.push(failure);
      else ended.add(sid);
    };
    for (const each of claims) {
      if (each instanceof Error) continue;
      await attempt(each.sid ?? '', () => this.logoutService.logout(each, auditOf(request)));
    }
    for (const [index, sid] of sids.entries()) {
      if (sid instanceof Error) continue;
      const options = { reason: 'logout', ...auditOf(request) } as const;
      if (!ended.has(sid)) {
        await attempt(sid, () => this.logoutService.logoutSession(sid, options));
      }
      if (ended.has(sid)) await this.refreshTokens.usedInLogout(tokens[index] as string);
    }
    if (failures.length > 0) throw failures[0];
    if (ended.size === 0) throw errors[0] ?? refusal('token_missing');
  }

  /** The session that this browser holds: a login replaces it (RT-10). */
  async held(request: HttpRequest): Promise<string | undefined> {
    if (!this.cookies.isOn) return undefined;
    try {
      return await this.sidOfCookies(request);
    } catch (error) {
      // Old cookies never prevent a login, whatever is wrong with them. This includes a 503, because the
      // login that follows needs the database itself.
      if (error instanceof AuthException) return undefined;
      throw error;
    }
  }

  private async sidOfCookies(request: HttpRequest): Promise<string | undefined> {
    const refresh = this.cookies.refreshToken(request);
    const session = refresh === undefined ? undefined : await this.refreshTokens.find(refresh);
    if (session !== undefined) return session.endedAt === null ? session.sid : undefined;
    const access = this.reader.read(request);
    return access === undefined ? undefined : (await this.claimsOf(access)).sid;
  }

  private refreshTokensOf(request: HttpRequest): string[] {
    const inBody = textOf(request, 'refresh_token');
    const found = this.cookies.refreshTokens(request);
    const all = new Set(inBody === undefined ? found : [inBody, ...found]);
    return this.refreshTokens.worthLookingUp([...all], MOST_STRANGERS);
  }

  private claimsOf(token: string): Promise<TokenClaims> {
    return this.tokens.verify(token, { allowExpired: true });
  }

  private async sidOf(token: string): Promise<string> {
    const session = await this.refreshTokens.find(token);
    if (session === undefined) throw refusal('refresh_token_invalid');
    return session.sid;
  }
}

/** What was read, or the 401 of what is in its place; every other refusal is thrown. */
function valueOrRefusal<T>(read: () => T): T | AuthException {
  try {
    return read();
  } catch (error) {
    if (error instanceof AuthException && error.getStatus() === 401) return error;
    throw error;
  }
}

function listOf(tokens: string[] | AuthException): string[] {
  return tokens instanceof AuthException ? [] : tokens;
}

async function valueOrError<T>(attempt: Promise<T>): Promise<T | Error> {
  try {
    return await attempt;
  } catch (error) {
    return error as Error;
  }
}

/** Whether the token is refused. Any other error (503, a wiring error) says nothing about the token. */
function isRefusal(error: Error): boolean {
  return error instanceof AuthException && error.getStatus() < 500;
}
