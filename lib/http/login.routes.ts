import { HttpCode, Inject, type OnModuleInit, Post, Req, Res, UseGuards } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AuthException, refusal } from '../errors/auth.exception.js';
import { LoginGuard } from '../authentication/access-token.guard.js';
import { CurrentToken, Public } from '../authentication/decorators.js';
import { bearerToken, TokenSource } from '../authentication/token-source.js';
import { TokenService } from '../authentication/token.service.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { alreadyCounted } from '../events/auth-meter.service.js';
import type { ApplicationMethod } from '../options/application-method.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { TokenClaims } from '../options/token-claims.js';
import type { CookieResponse } from '../platform/cookies.js';
import {
  type AskedLifetimes,
  type Authenticate,
  type AuthenticatedSubject,
  type LoginResult,
  mostOfAnyClient,
} from '../sessions/login-context.js';
import { RefreshTokenLookup } from '../sessions/refresh-token-lookup.service.js';
import { SessionService } from '../sessions/session.service.js';
import { AuthCookies } from './auth-cookies.service.js';
import { countWrongToken, limitGuesses } from './guess-limit.js';
import {
  type Credentials,
  type CredentialsVerifier,
  RESOLVED_HTTP_OPTIONS,
  type ResolvedHttpOptions,
} from './http-options.js';
import {
  badRequest,
  clientOf,
  credentialsOf,
  type HttpRequest,
  idempotencyKeyIn,
  persistentOf,
  textOf,
  OwnRoutes,
} from './own-routes.js';

/**
 * The body of a response of `POST login`, `POST confirm` and `POST refresh`: RFC 6749 section 5.1 and a few
 * more members.
 *
 * @publicApi
 */
export interface TokenAnswer {
  /** Absent if the tokens are in cookies, like `token_type` and `refresh_token`. */
  readonly access_token?: string;
  /** How to send the access token. `DPoP`: it is bound to the client's key (RFC 9449 section 5). */
  readonly token_type?: 'Bearer' | 'DPoP';
  /** Seconds until the access token expires. */
  readonly expires_in: number;
  /** The new refresh token; absent after `POST confirm`, or with `refreshTokenTtl: 0`. */
  readonly refresh_token?: string;
  /** Seconds until the refresh token expires. */
  readonly refresh_expires_in?: number;
  /** Seconds until the session expires without a refresh. A page can warn its user shortly before. */
  readonly idle_expires_in: number;
  /** Seconds until the session expires, however often it is refreshed. */
  readonly session_expires_in: number;
  /** When to refresh: a little before the access token expires (ISO 8601). */
  readonly refresh_at: string;
  /** The id of the session: the `sid` of its tokens. */
  readonly session_id: string;
}

/** `POST login` and `POST confirm`. They exist only if the application sets `verifyCredentials`. */
@OwnRoutes()
export class LoginRoutes implements OnModuleInit {
  private readonly verifier: ApplicationMethod<CredentialsVerifier> | undefined;
  private readonly most: AskedLifetimes | undefined;

  constructor(
    private readonly sessions: SessionService,
    private readonly cookies: AuthCookies,
    private readonly source: TokenSource,
    private readonly tokens: TokenService,
    private readonly refreshTokens: RefreshTokenLookup,
    modules: ModuleRef,
    @Inject(RESOLVED_HTTP_OPTIONS) private readonly options: ResolvedHttpOptions,
    { lifetimes }: ResolvedAuthOptions,
  ) {
    this.verifier = options.verifyCredentials?.in(modules);
    this.most = mostOfAnyClient(lifetimes);
  }

  /** @throws AuthWiringError if the verifier's class is not a provider, or does not have the method. */
  onModuleInit(): void {
    this.verifier?.find();
  }

  /**
   * Takes `username`, `password`, and optionally `client`, `device` and `persistent`. With
   * `persistent: false` ("remember me" is off) the browser deletes the cookies when it closes.
   */
  @Post('login')
  @HttpCode(200)
  @Public()
  async login(
    @Req() request: HttpRequest,
    @Res({ passthrough: true }) response: CookieResponse,
  ): Promise<TokenAnswer> {
    const { isOn: hasCookies } = this.cookies;
    if (hasCookies) this.cookies.refuseOtherOrigins(request);
    const authenticate = this.guessOf(request);
    const delivery = hasCookies ? 'cookie' : 'body';
    const client = clientOf(request);
    const persistent = persistentOf(request);
    const replaces = hasCookies ? await this.heldSession(request) : undefined;
    // The request chooses its client name, so a name cannot extend a lifetime: `most` limits all of them.
    const login = await this.sessions.login(authenticate, {
      ...client,
      delivery,
      persistent,
      replaces,
      ...this.most,
    });
    if (login === null) throw alreadyCounted(refusal('credentials_invalid'));
    if (hasCookies) this.cookies.set(response, login);
    return tokenAnswer(login, delivery);
  }

  /**
   * Confirms a login: takes the access token, and `username` and `password` of its account. It answers like
   * `POST login`, with a new access token and without a refresh token. The new token is in a cookie or in the
   * body, wherever the old one was.
   *
   * @throws AuthException 401 `credentials_invalid`, also for the credentials of another account.
   */
  @Post('confirm')
  @HttpCode(200)
  @UseGuards(LoginGuard)
  async confirm(
    @Req() request: HttpRequest,
    @CurrentToken() token: TokenClaims,
    @Res({ passthrough: true }) response: CookieResponse,
  ): Promise<TokenAnswer> {
    const delivery = bearerToken(request, true) === undefined ? 'cookie' : 'body';
    const authenticate = this.guessOf(request);
    const { ip, requestId } = clientOf(request);
    const context = { delivery, ip, requestId } as const;
    const confirmed = await this.sessions.confirm(token, authenticate, context);
    if (confirmed === null) throw alreadyCounted(refusal('credentials_invalid'));
    if (delivery === 'cookie') this.cookies.set(response, confirmed);
    return tokenAnswer(confirmed, delivery);
  }

  /**
   * Returns a function that checks the credentials of the request under the limit.
   *
   * @throws AuthException 400 `credentials_missing`, at once: such a request is not counted as a guess.
   */
  private guessOf(request: HttpRequest): Authenticate {
    const credentials = credentialsOf(request);
    const verify = (): Promise<AuthenticatedSubject | null> => this.subjectOf(credentials, request);
    return () => limitGuesses(this.options.limit, credentials.username, request, verify);
  }

  /** @throws AuthWiringError if `verifyCredentials` returns neither `null` nor `{ subject }`. */
  private async subjectOf(
    credentials: Credentials,
    request: object,
  ): Promise<AuthenticatedSubject | null> {
    const { verifier } = this;
    const source = verifier && (verifier.source ?? verifier.find());
    const answer = (await source?.verifyCredentials(credentials, request)) ?? null;
    if (answer === null) return null;
    if (typeof answer === 'object' && answer.subject !== undefined) return answer;
    throw new AuthWiringError(
      'verifyCredentials returned something that is neither null nor { subject }.',
      'Return { subject: user.id, claims: { … } }, or null for wrong credentials.',
    );
  }

  /**
   * The session whose cookies this browser has. A login ends it (RT-10): otherwise it would stay open, with
   * no client that could log it out.
   */
  private async heldSession(request: HttpRequest): Promise<string | undefined> {
    try {
      const refreshToken = this.cookies.refreshToken(request);
      const session = refreshToken && (await this.refreshTokens.find(refreshToken));
      if (session) return session.endedAt === null ? session.sid : undefined;
      const access = this.source.read(request);
      return access && (await this.tokens.verify(access, { allowExpired: true })).sid;
    } catch (error) {
      // Old cookies never prevent a login, whatever is wrong with them. This includes a 503, because the
      // login that follows needs the database itself.
      if (error instanceof AuthException) return undefined;
      throw error;
    }
  }
}

/** `POST refresh`. It exists without `verifyCredentials` too, for sessions of the application's own login. */
@Public()
@OwnRoutes()
export class RefreshRoutes {
  constructor(
    private readonly sessions: SessionService,
    private readonly cookies: AuthCookies,
    @Inject(RESOLVED_HTTP_OPTIONS) private readonly options: ResolvedHttpOptions,
  ) {}

  /**
   * Takes a refresh token from the body or from its cookie. A refusal does not clear cookies, because another
   * tab may have received new ones in the meantime.
   *
   * @throws AuthException 400 `invalid_request` for two refresh tokens, 403 `csrf_refused` if a page of
   * another origin sent the request.
   */
  @Post('refresh')
  @HttpCode(200)
  async refresh(
    @Req() request: HttpRequest,
    @Res({ passthrough: true }) response: CookieResponse,
  ): Promise<TokenAnswer> {
    const inBody = textOf(request, 'refresh_token');
    const inCookie = this.cookies.isOn ? this.cookies.refreshToken(request) : undefined;
    if (inBody !== undefined && inCookie !== undefined) {
      throw badRequest('The request has a refresh token in its body and in a cookie.');
    }
    const token = inBody ?? inCookie;
    if (token === undefined) throw this.nothingPresented();
    const delivery = inBody === undefined ? 'cookie' : 'body';
    const client = clientOf(request);
    const idempotencyKey = idempotencyKeyIn(request);
    const login = await this.sessions
      .refresh(token, { ...client, delivery, idempotencyKey })
      .catch((error: unknown) => this.refuse(error, request));
    if (delivery === 'cookie') this.cookies.set(response, login);
    return tokenAnswer(login, delivery);
  }

  private async refuse(error: unknown, request: HttpRequest): Promise<never> {
    const { limit } = this.options;
    if (limit !== undefined) await countWrongToken(limit, error, request);
    throw error;
  }

  /** With cookies this is a browser without a login (401). Without cookies the client has a bug (400). */
  private nothingPresented(): Error {
    const message = 'The request carries no refresh token.';
    return this.cookies.isOn ? refusal('token_missing', { message }) : badRequest(message);
  }
}

/** @param delivery - `'cookie'` omits the tokens, so that no script of a page can read them. */
export function tokenAnswer(login: LoginResult, delivery: 'body' | 'cookie'): TokenAnswer {
  const { accessToken, expiresIn, refreshToken, refreshExpiresIn } = login;
  const token_type = login.tokenType ?? 'Bearer';
  const inBody = delivery === 'body';
  return {
    ...(inBody ? { access_token: accessToken, token_type } : {}),
    expires_in: expiresIn,
    ...(inBody && refreshToken !== undefined ? { refresh_token: refreshToken } : {}),
    ...(refreshExpiresIn === undefined ? {} : { refresh_expires_in: refreshExpiresIn }),
    idle_expires_in: login.idleExpiresIn,
    session_expires_in: login.sessionExpiresIn,
    refresh_at: new Date(login.refreshAt).toISOString(),
    session_id: login.sessionId,
  };
}
