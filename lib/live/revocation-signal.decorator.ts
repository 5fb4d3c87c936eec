import {
  createParamDecorator,
  type ExecutionContext,
  Injectable,
  type PipeTransform,
} from '@nestjs/common';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import type { StalePolicy } from '../options/operation-settings.js';
import type { TokenClaims } from '../options/token-claims.js';
import { claimsOf, kidOfRequest, requestOf, responseOf } from '../platform/request.js';
import { routeDemandOf } from '../revocation/staleness/freshness.decorators.js';
import { LiveTokens } from './live-tokens.service.js';

/** The properties of Node's response that show whether it is closed. */
interface Closing {
  readonly destroyed?: boolean;
  readonly writableFinished?: boolean;
  once(event: 'close', listener: () => void): unknown;
}

/** What the decorator passes to its pipe. Nest injects the registry into a pipe, but not into a decorator. */
interface WatchedRequest {
  readonly claims: TokenClaims | undefined;
  readonly kid: string | undefined;
  readonly whenStale: StalePolicy | undefined;
  readonly response: Closing | undefined;
}

/** Watches the token of a request until the response is closed. */
@Injectable()
export class RevocationSignalPipe implements PipeTransform<WatchedRequest, AbortSignal> {
  constructor(private readonly live: LiveTokens) {}

  transform({ claims, kid, whenStale, response }: WatchedRequest): AbortSignal {
    // A request without a token (@OptionalAuth, @Public) has nothing to revoke.
    if (claims === undefined) return new AbortController().signal;
    const live = this.live.watch(claims, { kid, whenStale });
    const { signal } = live;
    // The response may have closed while guards and pipes ran. Its event `close` does not come again.
    if (response?.destroyed === true || response?.writableFinished === true) live.release();
    else response?.once('close', () => live.release());
    return signal;
  }
}

const watchedRequest = createParamDecorator(
  (_: unknown, context: ExecutionContext): WatchedRequest => {
    const request = requestOf(context);
    const { freshness, whenStale } = routeDemandOf(context.getHandler(), context.getClass());
    return {
      claims: claimsOf(request),
      kid: kidOfRequest(request),
      // As for the request itself, a route with a freshness requirement fails closed.
      whenStale: whenStale ?? (freshness === undefined ? undefined : 'closed'),
      response: closingFor(context),
    };
  },
);

/**
 * Injects an AbortSignal that aborts when the request's token is revoked or expires, or when freshness cannot be
 * proven (subject to `@WhenStale()`). Its `reason` is the `AuthException`.
 *
 * The token is watched until the response is closed. Without a token (`@OptionalAuth()`) the signal never
 * aborts. A GraphQL subscription over a socket has no response: use `LiveTokens.iterateUntilRevoked()` there.
 *
 * @example A long download stops within `maxStaleness` after a logout:
 * ```ts
 * @Get('export')
 * async export(@RevocationSignal() signal: AbortSignal, @Res() response: Response) {
 *   await pipeline(this.orders.stream(), response, { signal });
 * }
 * ```
 * @publicApi
 */
export const RevocationSignal = (): ParameterDecorator => watchedRequest(RevocationSignalPipe);

function closingFor(context: ExecutionContext): Closing | undefined {
  const type: string = context.getType();
  if (type === 'http' || type === 'graphql') return closingOf(responseOf(context));
  throw new AuthWiringError(
    `@RevocationSignal() is used in a "${type}" context, which has no response.`,
    'Behind a gateway let LiveSockets close the socket. Anywhere else use LiveTokens.watch(claims).signal.',
  );
}

/** Fastify's reply has Node's response in `raw`. */
function closingOf(response: object | undefined): Closing | undefined {
  if (response === undefined) return undefined;
  const raw = 'raw' in response ? response.raw : response;
  return typeof (raw as Closing).once === 'function' ? (raw as Closing) : undefined;
}
