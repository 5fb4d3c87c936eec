import { Catch, type ArgumentsHost, type ExecutionContext } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { AuthException } from '../errors/auth.exception.js';
import { setResponseHeaders } from './execution-context.js';

/**
 * Gives the answer to an {@link AuthException} its headers (`Retry-After`, `WWW-Authenticate`) when a
 * service threw it; the body is Nest's own rendering of the exception.
 *
 * An application filter that also catches these exceptions takes over; the guard sets the headers of
 * its own refusals itself, so that they survive it.
 */
@Catch(AuthException)
export class AuthExceptionFilter extends BaseExceptionFilter {
  override catch(exception: AuthException, host: ArgumentsHost): void {
    if (host.getType<string>() !== 'http') throw exception;
    setResponseHeaders(host as ExecutionContext, exception.headers);
    super.catch(exception, host);
  }
}
