import { HttpCode, Inject, type OnModuleInit, Post, Req, Res, UseGuards } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { CurrentToken } from '../authentication/decorators.js';
import { LoginGuard } from '../authentication/login.guard.js';
import { bearerToken } from '../authentication/token-source.js';
import { refusal } from '../errors/auth.exception.js';
import { alreadyCounted } from '../events/auth-meter.service.js';
import type { ApplicationMethod } from '../options/application-method.js';
import type { TokenClaims } from '../options/token-claims.js';
import type { CookieResponse } from '../platform/cookies.js';
import { SessionService } from '../sessions/session.service.js';
import { AuthCookies } from './auth-cookies.service.js';
import {
  type CredentialsVerifier,
  RESOLVED_HTTP_OPTIONS,
  type ResolvedHttpOptions,
} from './http-options.js';
import { guessOf, type TokenAnswer, tokenAnswer } from './login.routes.js';
import { clientOf, type HttpRequest, OwnRoutes } from './own-routes.js';

/** `POST confirm`; mounted only where the application gives `verifyCredentials`. */
@UseGuards(LoginGuard)
@OwnRoutes()
export class ConfirmRoutes implements OnModuleInit {
  private readonly verifier: ApplicationMethod<CredentialsVerifier> | undefined;

  constructor(
    private readonly sessions: SessionService,
    private readonly cookies: AuthCookies,
    modules: ModuleRef,
    @Inject(RESOLVED_HTTP_OPTIONS) private readonly options: ResolvedHttpOptions,
  ) {
    this.verifier = options.verifyCredentials?.in(modules);
  }

  onModuleInit(): void {
    this.verifier?.find();
  }

  /**
   * Takes the access token and, as `POST login`, `username` and `password` of its account. The answer is
   * that of a login with a new access token and without a refresh token, in the place where the old one was.
   *
   * @throws AuthException 401 `credentials_invalid` also for the credentials of another account.
   */
  @Post('confirm')
  @HttpCode(200)
  async confirm(
    @Req() request: HttpRequest,
    @CurrentToken() token: TokenClaims,
    @Res({ passthrough: true }) response: CookieResponse,
  ): Promise<TokenAnswer> {
    const delivery = bearerToken(request, true) === undefined ? 'cookie' : 'body';
    const authenticate = guessOf(request, this.verifier, this.options.limit);
    const { ip, requestId } = clientOf(request);
    const context = { delivery, ip, requestId } as const;
    const confirmed = await this.sessions.confirm(token, authenticate, context);
    if (confirmed === null) throw alreadyCounted(refusal('credentials_invalid'));
    if (delivery === 'cookie') this.cookies.set(response, confirmed);
    return tokenAnswer(confirmed, delivery);
  }
}
