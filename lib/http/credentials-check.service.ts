import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import type { AuthenticatedSubject } from '../sessions/login-context.js';
import type { Credentials, CredentialsVerifier, VerifyCredentials } from './http-options.js';
import { RESOLVED_HTTP_OPTIONS, type ResolvedHttpOptions } from './resolved-http-options.js';

/** Asks the application whose credentials these are. */
@Injectable()
export class CredentialsCheck implements OnModuleInit {
  private readonly logger = new Logger('AuthModule');
  private ask: VerifyCredentials | undefined;

  constructor(
    private readonly modules: ModuleRef,
    @Inject(RESOLVED_HTTP_OPTIONS) private readonly options: ResolvedHttpOptions,
  ) {}

  /** @throws AuthWiringError when the verifier's class is no provider, or has no such method. */
  onModuleInit(): void {
    const { verifier, isVerifierClass, cookies } = this.options;
    if (isVerifierClass) {
      const instance = this.find(verifier as new () => CredentialsVerifier);
      this.ask = (credentials, request) => instance.verifyCredentials(credentials, request);
    } else {
      this.ask = verifier as VerifyCredentials;
    }
    if (cookies?.secure === false && process.env['NODE_ENV'] === 'production') {
      this.logger.warn(
        'http.cookies.secure is false in production: the tokens travel readably, and any host of the ' +
          'domain can replace them. Leave the option out.',
      );
    }
  }

  /**
   * @returns `null` for nobody's credentials.
   * @throws AuthWiringError for an answer that is neither `null` nor `{ subject }`.
   */
  async verify(credentials: Credentials, request: object): Promise<AuthenticatedSubject | null> {
    const answer = await this.ask?.(credentials, request);
    if (answer === null || answer === undefined) return null;
    if (typeof answer === 'object' && answer.subject !== undefined) return answer;
    throw new AuthWiringError(
      'verifyCredentials gave something that is neither null nor { subject }.',
      'Return { subject: user.id, claims: { … } }, or null for wrong credentials.',
    );
  }

  private find(type: new () => CredentialsVerifier): CredentialsVerifier {
    let instance: CredentialsVerifier;
    try {
      instance = this.modules.get(type, { strict: false });
    } catch (error) {
      throw new AuthWiringError(
        `http.verifyCredentials names the class ${type.name}, of which there is no single instance: ` +
          `${error instanceof Error ? error.message : 'it cannot be found'}`,
        `Add ${type.name} to the providers of one of the application's modules, not request-scoped.`,
        'Give a function instead: ({ username, password }) => ({ subject }) or null.',
      );
    }
    if (typeof instance.verifyCredentials === 'function') return instance;
    throw new AuthWiringError(
      `http.verifyCredentials names the class ${type.name}, which has no method verifyCredentials().`,
      `class ${type.name} implements CredentialsVerifier { verifyCredentials({ username, password }) { … } }`,
    );
  }
}
