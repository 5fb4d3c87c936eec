import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { ApplicationMethod } from '../options/application-method.js';
import type { AuthenticatedSubject } from '../sessions/login-context.js';
import type { Credentials } from './http-options.js';
import { RESOLVED_HTTP_OPTIONS, type ResolvedHttpOptions } from './resolved-http-options.js';

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
