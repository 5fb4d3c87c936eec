import { Catch, type ArgumentsHost, type ExecutionContext } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { throwError } from 'rxjs';
import { AuthException } from '../errors/auth.exception.js';
import { setResponseHeaders } from './request.js';

/**
 * Gives the answer to an {@link AuthException} its headers (`Retry-After`, `WWW-Authenticate`) when a
 * service threw it; the body is Nest's own rendering of the exception. Message handlers and gateways,
 * which have no HTTP, send their client the same body.
 *
 * An application filter that also catches these exceptions takes over; the guard sets the headers of
 * its own refusals itself, so that they survive it.
 */
@Catch(AuthException)
export class AuthExceptionFilter extends BaseExceptionFilter {
  override catch(exception: AuthException, host: ArgumentsHost): unknown {
    const type: string = host.getType();
    if (type === 'rpc') return throwError(() => exception.getResponse());
    if (type === 'ws') {
      const client = host
        .switchToWs()
        .getClient<{ emit?(event: string, body: unknown): unknown }>();
      return client.emit?.('exception', exception.getResponse());
    }
    if (type === 'http' || type === 'graphql') {
      setResponseHeaders(host as ExecutionContext, exception.headers);
    }
    if (type !== 'http') throw exception;
    return super.catch(exception, host);
  }
}
