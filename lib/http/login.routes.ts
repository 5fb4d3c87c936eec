import { HttpCode, Inject, Post, Req, Res, UseGuards } from '@nestjs/common';
import { Public } from '../authentication/public.decorator.js';
import type { CookieResponse } from '../platform/set-cookies.js';
import { AuthUnauthorizedException } from '../errors/unauthorized.exception.js';
import type { AuthenticatedSubject } from '../sessions/login-context.js';
import { SessionService } from '../sessions/session.service.js';
import { AuthCookies } from './auth-cookies.service.js';
import { CredentialsCheck } from './credentials-check.service.js';
import { limitGuesses } from './guess-limit.js';
import type { Credentials } from './http-options.js';
import { NoStoreGuard } from './no-store.guard.js';
import { PresentedSessions } from './presented-sessions.service.js';
import { clientOf, credentialsOf, type HttpRequest, persistentOf } from './request-body.js';
import { RESOLVED_HTTP_OPTIONS, type ResolvedHttpOptions } from './resolved-http-options.js';
import { type TokenAnswer, tokenAnswer } from './token-answer.js';

/** `POST login`; mounted only where the application gives `verifyCredentials`. */
@Public()
@UseGuards(NoStoreGuard)
export class LoginRoutes {
  constructor(
    private readonly sessions: SessionService,
    private readonly check: CredentialsCheck,
    private readonly presented: PresentedSessions,
    private readonly cookies: AuthCookies,
    @Inject(RESOLVED_HTTP_OPTIONS) private readonly options: ResolvedHttpOptions,
  ) {}

  /**
   * `persistent: false` in the body: the cookies go when the browser closes ("remember me" was not
   * ticked).
   */
  @Post('login')
  @HttpCode(200)
  async login(
    @Req() request: HttpRequest,
    @Res({ passthrough: true }) response: CookieResponse,
  ): Promise<TokenAnswer> {
    this.cookies.refuseOtherOrigins(request);
    const credentials = credentialsOf(request);
    const delivery = this.cookies.isOn ? 'cookie' : 'body';
    const context = { ...clientOf(request), delivery } as const;
    const replaces = await this.presented.held(request);
    const login = await this.sessions.login(() => this.guess(credentials, request), {
      ...context,
      replaces,
      persistent: persistentOf(request),
    });
    if (login === null) {
      throw new AuthUnauthorizedException(
        'credentials_invalid',
        'The user name or the password is wrong.',
      );
    }
    this.cookies.set(response, login);
    return tokenAnswer(login, delivery);
  }

  private guess(
    credentials: Credentials,
    request: HttpRequest,
  ): Promise<AuthenticatedSubject | null> {
    return limitGuesses(this.options.limit, credentials.username, request, () =>
      this.check.verify(credentials, request),
    );
  }
}
