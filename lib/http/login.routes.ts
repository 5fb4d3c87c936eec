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

/** What login and refresh answer, in the words of RFC 6749 section 5.1 and a few of our own. */
export interface TokenAnswer {
  /** Not where the tokens are in cookies, and neither are the next one and `refresh_token`. */
  readonly access_token?: string;
  readonly token_type?: 'Bearer' | 'DPoP';
  /** Seconds. */
  readonly expires_in: number;
  readonly refresh_token?: string;
  /** Seconds. */
  readonly refresh_expires_in?: number;
  /** Seconds until the session expires without a refresh: a page warns its user before. */
  readonly idle_expires_in: number;
  /** Seconds until the session expires, however often it is refreshed. */
  readonly session_expires_in: number;
  /** When to renew, a little before the expiry (ISO 8601). */
  readonly refresh_at: string;
  readonly session_id: string;
}

/** `POST login` and `POST confirm`; mounted only where the application gives `verifyCredentials`. */
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

  /** @throws AuthWiringError when the verifier's class is no provider, or has no such method. */
  onModuleInit(): void {
    this.verifier?.find();
  }

  /**
   * `persistent: false` in the body: the cookies go when the browser closes ("remember me" was not
   * ticked).
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
    // The request names its client, so that name alone makes nothing longer.
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
   * Takes the access token and, as `POST login`, `username` and `password` of its account. The answer is
   * that of a login with a new access token and without a refresh token, in the place where the old one was.
   *
   * @throws AuthException 401 `credentials_invalid` also for the credentials of another account.
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
   * Checks the credentials that a request has, under the limit of guesses.
   *
   * @throws AuthException 400 `credentials_missing`, at once.
   */
  private guessOf(request: HttpRequest): Authenticate {
    const credentials = credentialsOf(request);
    const verify = (): Promise<AuthenticatedSubject | null> => this.subjectOf(credentials, request);
    return () => limitGuesses(this.options.limit, credentials.username, request, verify);
  }

  /** @throws AuthWiringError for an answer that is neither `null` nor `{ subject }`. */
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

  /** The session that this browser holds: a login replaces it (RT-10). */
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

/** `POST refresh`; also without `verifyCredentials`, because a login of the application needs it. */
@Public()
@OwnRoutes()
export class RefreshRoutes {
  constructor(
    private readonly sessions: SessionService,
    private readonly cookies: AuthCookies,
    @Inject(RESOLVED_HTTP_OPTIONS) private readonly options: ResolvedHttpOptions,
  ) {}

  /**
   * A refusal touches no cookie: another tab may have been given new ones in the meantime.
   *
   * @throws AuthException 400 `invalid_request` for two refresh tokens, 403 `csrf_refused` where another
   * site's page asked.
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

  /** In a browser no user is logged in then; any other client has a bug. */
  private nothingPresented(): Error {
    const message = 'The request carries no refresh token.';
    return this.cookies.isOn ? refusal('token_missing', { message }) : badRequest(message);
  }
}

/** @param delivery - `'cookie'` leaves the tokens out: a page's script has no business with them. */
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
