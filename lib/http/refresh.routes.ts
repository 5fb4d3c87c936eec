import { HttpCode, Inject, Post, Req, Res, UseGuards } from '@nestjs/common';
import { Public } from '../authentication/decorators.js';
import { AuthUnauthorizedException } from '../errors/auth.exception.js';
import type { CookieResponse } from '../platform/cookies.js';
import { SessionService } from '../sessions/session.service.js';
import { AuthCookies } from './auth-cookies.service.js';
import { limitWrongTokens } from './guess-limit.js';
import { NoStoreGuard } from './no-store.guard.js';
import { PresentedSessions } from './presented-sessions.service.js';
import { badRequest, clientOf, type HttpRequest, idempotencyKeyIn } from './request-body.js';
import { RESOLVED_HTTP_OPTIONS, type ResolvedHttpOptions } from './resolved-http-options.js';
import { type TokenAnswer, tokenAnswer } from './token-answer.js';

/** `POST refresh`; mounted without `verifyCredentials` too, because a login of one's own needs it. */
@Public()
@UseGuards(NoStoreGuard)
export class RefreshRoutes {
  constructor(
    private readonly sessions: SessionService,
    private readonly presented: PresentedSessions,
    private readonly cookies: AuthCookies,
    @Inject(RESOLVED_HTTP_OPTIONS) private readonly options: ResolvedHttpOptions,
  ) {}

  /** A refusal touches no cookie: another tab may have been given new ones in the meantime. */
  @Post('refresh')
  @HttpCode(200)
  async refresh(
    @Req() request: HttpRequest,
    @Res({ passthrough: true }) response: CookieResponse,
  ): Promise<TokenAnswer> {
    const presented = this.presented.refreshTokenOf(request);
    if (presented === undefined) throw this.nothingPresented();
    const { token, delivery } = presented;
    const context = {
      ...clientOf(request),
      delivery,
      idempotencyKey: idempotencyKeyIn(request),
    };
    const login = await limitWrongTokens(this.options.limit, request, () =>
      this.sessions.refresh(token, context),
    );
    if (delivery === 'cookie') this.cookies.set(response, login);
    return tokenAnswer(login, delivery);
  }

  /** In a browser it means that nobody is logged in; elsewhere that the client is wrong. */
  private nothingPresented(): Error {
    const message = 'The request carries no refresh token.';
    return this.cookies.isOn
      ? new AuthUnauthorizedException('token_missing', message)
      : badRequest(message);
  }
}
