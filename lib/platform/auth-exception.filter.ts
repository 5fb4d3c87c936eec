import { type ArgumentsHost, Catch, type ExecutionContext, Inject, Optional } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { throwError } from 'rxjs';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthException, AuthUnauthorizedException } from '../errors/auth.exception.js';
import { setResponseHeaders } from './request.js';
import { callerError, socketBody } from './transport-refusal.js';

/** Injected with what counts refusals, such as the metrics. */
export const REFUSAL_COUNTER = Symbol('nestjs-logout:refusal-counter');

/**
 * Gives the answer to an {@link AuthException} its headers (`Retry-After`, `WWW-Authenticate`) when a
 * service threw it; the body is Nest's own rendering of the exception. Clients of gateways and message
 * handlers get it in the form of their transport. The metrics count it, once.
 *
 * `AuthModule` makes it a global filter, so controllers and resolvers have it. Nest calls no global filter
 * behind gateways, nor behind message handlers of a hybrid application without `inheritAppConfig`: put
 * `@UseFilters(AuthExceptionFilter)` on those that call services of this library. The guards do not need it.
 *
 * An application filter that also catches these exceptions takes over. The guard sets the headers of its own
 * refusals and counts them, so that both survive it.
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

/** A socket of socket.io, or of ws, whose `emit` reaches only listeners in this process. */
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

/** Nest's own exception filter, without sending a response. */
class Probe extends BaseExceptionFilter {
  isKnown = true;

  constructor() {
    super({ isHeadersSent: () => false, reply: () => undefined } as never);
  }

  /** Nest answers 500 to what is no HttpException of the copy of @nestjs/common that it uses itself. */
  override handleUnknownError(): void {
    this.isKnown = false;
  }
}

/**
 * A second copy of @nestjs/common below this package would turn every 401 into a 500.
 *
 * @throws AuthWiringError when Nest would not know our refusals.
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
