import {
  HttpCode,
  Inject,
  Injectable,
  type OnModuleInit,
  Post,
  Req,
  Res,
  UseGuards,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Public } from '../authentication/decorators.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthUnauthorizedException } from '../errors/auth.exception.js';
import { ApplicationMethod } from '../options/application-method.js';
import type { CookieResponse } from '../platform/cookies.js';
import type { AuthenticatedSubject } from '../sessions/login-context.js';
import { SessionService } from '../sessions/session.service.js';
import { AuthCookies } from './auth-cookies.service.js';
import { limitGuesses } from './guess-limit.js';
import type { Credentials } from './http-options.js';
import { NoStoreGuard } from './no-store.guard.js';
import { PresentedSessions } from './presented-sessions.service.js';
import { clientOf, credentialsOf, type HttpRequest, persistentOf } from './request-body.js';
import { RESOLVED_HTTP_OPTIONS, type ResolvedHttpOptions } from './resolved-http-options.js';
import { type TokenAnswer, tokenAnswer } from './token-answer.js';

/** Asks the application whose credentials these are. */
@Injectable()
export class CredentialsCheck implements OnModuleInit {
  constructor(
    modules: ModuleRef,
    @Inject(RESOLVED_HTTP_OPTIONS) private readonly options: ResolvedHttpOptions,
  ) {
    if (options.verifier instanceof ApplicationMethod) options.verifier.attach(modules);
  }

  /** @throws AuthWiringError when the verifier's class is no provider, or has no such method. */
  onModuleInit(): void {
    if (this.options.verifier instanceof ApplicationMethod) this.options.verifier.find();
  }

  /**
   * @returns `null` for nobody's credentials.
   * @throws AuthWiringError for an answer that is neither `null` nor `{ subject }`.
   */
  async verify(credentials: Credentials, request: object): Promise<AuthenticatedSubject | null> {
    const answer = (await this.ask(credentials, request)) as
      AuthenticatedSubject | null | undefined;
    if (answer === null || answer === undefined) return null;
    if (typeof answer === 'object' && answer.subject !== undefined) return answer;
    throw new AuthWiringError(
      'verifyCredentials gave something that is neither null nor { subject }.',
      'Return { subject: user.id, claims: { … } }, or null for wrong credentials.',
    );
  }

  private ask(credentials: Credentials, request: object): unknown {
    const { verifier } = this.options;
    return verifier instanceof ApplicationMethod
      ? verifier.call(credentials, request)
      : verifier?.(credentials, request);
  }
}

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
