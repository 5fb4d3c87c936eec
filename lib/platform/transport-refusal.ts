import type { ArgumentsHost } from '@nestjs/common';
import { AuthException } from '../errors/auth.exception.js';
import { grpcMetadata } from './message-request.js';

/**
 * Throws a refusal in the form that the transport sends to its client. Nest calls no global filter
 * behind a gateway, and none behind a message handler of a hybrid application without
 * `inheritAppConfig`. There an HttpException would become "Internal server error".
 */
export function throwTo(host: ArgumentsHost, thrown: unknown): Promise<never> {
  if (thrown instanceof AuthException) {
    const type: string = host.getType();
    if (type === 'ws') return throwToSocket(thrown);
    if (type === 'rpc') return throwToCaller(host, thrown);
  }
  throw thrown;
}

/** The payload of the event `exception` that a client of a gateway gets. Nest defines `status`. */
export function socketBody(refusal: AuthException): object {
  return { status: 'error', ...(refusal.getResponse() as object) };
}

/**
 * The error that the caller of a message handler gets: the body, and over gRPC a status with
 * metadata.
 */
export function callerError(host: ArgumentsHost, refusal: AuthException): object {
  const sent = grpcMetadata(host.getArgs());
  if (sent === undefined) return refusal.getResponse() as object;
  // The class of the incoming metadata is used, because the application may have another copy of
  // @grpc/grpc-js.
  const metadata = new (sent.constructor as new () => { set(name: string, value: string): void })();
  const { code, reason, maxAge, headers, message } = refusal;
  metadata.set('code', code);
  if (reason !== undefined) metadata.set('reason', reason);
  if (maxAge !== undefined) metadata.set('max-age', String(maxAge));
  const wait = headers['Retry-After'];
  if (wait !== undefined) metadata.set('retry-after', wait);
  return {
    code: GRPC_STATUS[refusal.getStatus()] ?? GRPC_INTERNAL,
    message,
    details: message,
    metadata,
  };
}

/** Maps HTTP status codes to gRPC status codes: INVALID_ARGUMENT, UNAUTHENTICATED and so on. */
const GRPC_STATUS: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  409: 6,
  429: 8,
  503: 14,
};

const GRPC_INTERNAL = 13;

// The classes are imported when they are needed, because an application without gateways does not
// have them. If they cannot be imported, the refusal is thrown unchanged.

async function throwToSocket(refusal: AuthException): Promise<never> {
  let thrown: Error = refusal;
  try {
    const { WsException } = await import('@nestjs/websockets');
    thrown = Object.assign(new WsException(socketBody(refusal)), { cause: refusal });
  } catch {}
  throw thrown;
}

async function throwToCaller(host: ArgumentsHost, refusal: AuthException): Promise<never> {
  const error = callerError(host, refusal);
  if (endStreamCall(host.getArgs(), error)) return new Promise(() => undefined);
  let thrown: Error = refusal;
  try {
    const { RpcException } = await import('@nestjs/microservices');
    thrown = Object.assign(new RpcException(error), { cause: refusal });
  } catch {}
  throw thrown;
}

/**
 * Refuses a call to a `@GrpcStreamCall()` handler, whose arguments are the call and, for some, a
 * callback. An exception there becomes an unhandled rejection, so any unauthenticated call would
 * crash the process.
 */
function endStreamCall([call, done]: readonly unknown[], error: object): boolean {
  if (grpcMetadata([call]) === undefined) return false;
  if (typeof done === 'function') done(error);
  else (call as { emit(event: 'error', error: object): unknown }).emit('error', error);
  return true;
}
