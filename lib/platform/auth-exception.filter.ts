import { type ArgumentsHost, Catch, type ExecutionContext, Inject, Optional } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { throwError } from 'rxjs';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthException, AuthUnauthorizedException } from '../errors/auth.exception.js';
import { setResponseHeaders } from './request.js';
import { callerError, socketBody } from './transport-refusal.js';

/** The injection token of the object that counts refusals for the metrics. */
export const REFUSAL_COUNTER = Symbol('nestjs-logout:refusal-counter');

/**
 * Sets the headers `Retry-After` and `WWW-Authenticate` on the response if a service throws an
 * {@link AuthException}. The body is Nest's own rendering of the exception. Clients of gateways and
 * message handlers get the error in the form of their transport. The metrics count each exception
 * once.
 *
 * `AuthModule` registers it as a global filter for controllers and resolvers. Nest calls no global
 * filter behind gateways, nor behind message handlers of a hybrid application without
 * `inheritAppConfig`: put `@UseFilters(AuthExceptionFilter)` on those that call services of this
 * library. The guards do not need it.
 *
 * If a filter of the application catches these exceptions too, that filter handles them instead of
 * this one. The guards set the headers of their own refusals and count them, so both work with any
 * filter.
 *
 * @example
 * ```ts
 * @UseFilters(AuthExceptionFilter) @WebSocketGateway() export class OrdersGateway { … }
 * ```
 * @publicApi
 */
@Catch(AuthException)
export class AuthExceptionFilter extends BaseExceptionFilter {
  @Optional()
  @Inject(REFUSAL_COUNTER)
  private readonly refusalCounter?: { refuse(error: unknown): void };

  override catch(exception: AuthException, host: ArgumentsHost): unknown {
    this.refusalCounter?.refuse(exception);
    const type: string = host.getType();
    if (type === 'rpc') return throwError(() => callerError(host, exception));
    if (type === 'ws') return sendTo(host.switchToWs().getClient<SocketClient>(), exception);
    if (type === 'http' || type === 'graphql') {
      setResponseHeaders(host as ExecutionContext, exception.headers);
    }
    if (type !== 'http') throw exception;
    return super.catch(exception, host);
  }
}

/**
 * A socket of socket.io or ws. On ws, `emit` only reaches listeners in this process, so `send` is
 * used.
 */
interface SocketClient {
  readonly readyState?: unknown;
  send?(text: string): unknown;
  emit?(event: string, body: unknown): unknown;
}

function sendTo(client: SocketClient, exception: AuthException): unknown {
  const data = socketBody(exception);
  return typeof client.readyState === 'number'
    ? client.send?.(JSON.stringify({ event: 'exception', data }))
    : client.emit?.('exception', data);
}

/**
 * Nest's exception filter, without sending a response. It shows whether Nest recognises an
 * exception.
 */
class Probe extends BaseExceptionFilter {
  isKnown = true;

  constructor() {
    super({ isHeadersSent: () => false, reply: () => undefined } as never);
  }

  /** Nest answers 500 to anything but an HttpException of its own copy of @nestjs/common. */
  override handleUnknownError(): void {
    this.isKnown = false;
  }
}

/**
 * Checks at boot that Nest recognises our exceptions. With a second copy of @nestjs/common below
 * this package, every 401 would become a 500.
 *
 * @throws AuthWiringError if there are two copies of @nestjs/common.
 */
export function assertOneCopyOfNest(
  refusal: Error = new AuthUnauthorizedException('token_missing', 'A sample.'),
): void {
  const probe = new Probe();
  probe.catch(refusal, { getArgByIndex: () => undefined } as unknown as ArgumentsHost);
  if (probe.isKnown) return;
  throw new AuthWiringError(
    'There are two copies of @nestjs/common: nestjs-logout and the application use different ones, ' +
      'so each refusal would be answered with 500 instead of 401.',
    'Find them with npm ls @nestjs/common. Then run npm dedupe, or use the same major version for both.',
    'In a monorepo or with npm link, let nestjs-logout use the copy of the application.',
  );
}
