import { Injectable } from '@nestjs/common';
import { TokenService } from '../authentication/token.service.js';
import { AuthException, refusal } from '../errors/auth.exception.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import type { StalePolicy } from '../options/operation-settings.js';
import type { TokenClaims } from '../options/token-claims.js';
import { AuthClock } from '../platform/auth-clock.js';
import { type HandshakeRequest, rememberHandshake } from '../platform/handshake.js';
import { socketBody } from '../platform/transport-refusal.js';
import { LiveTokens } from './live-tokens.service.js';
import type { LiveToken } from './watch.js';

/** How long a client may take to answer the close frame before the socket is terminated (ms). */
const CLOSE_TIMEOUT = 1_000;
/** WebSocket close code for an internal error (RFC 6455 section 7.4.1). */
const INTERNAL_ERROR = 1011;

/** The part of a ws socket that the library uses. The `extra.socket` of graphql-ws has it too. @publicApi */
export interface WsSocket {
  readonly readyState: number;
  close(code: number, reason: string): void;
  terminate(): void;
  once(event: 'close', listener: () => void): unknown;
}

/** The part of a socket.io socket that the library uses. @publicApi */
export interface SocketIoSocket {
  readonly connected: boolean;
  emit(event: 'exception', body: unknown): unknown;
  disconnect(close: boolean): unknown;
  once(event: 'disconnect', listener: () => void): unknown;
}

/** A socket of ws or socket.io. @publicApi */
export type LiveSocket = WsSocket | SocketIoSocket;

/** Options of {@link LiveSockets.accept}. @publicApi */
export interface AcceptSocketOptions {
  /**
   * See `@WhenStale()`. It applies to the handshake and while the socket is open.
   *
   * @default the option `whenStale`
   */
  readonly whenStale?: StalePolicy | undefined;
  /**
   * The request that opened the socket, for a token that is bound to its client (option `binding`). With
   * socket.io it is not needed.
   */
  readonly request?: HandshakeRequest | undefined;
}

interface Held {
  readonly claims: TokenClaims;
  readonly live: LiveToken;
  readonly options: AcceptSocketOptions;
}

/**
 * Authenticates sockets of socket.io, ws and graphql-ws during the handshake. When a token is revoked or
 * expires, every instance closes the sockets of that token.
 *
 * A ws client receives the close code 4401 (4503 while freshness cannot be proven) with the error code as
 * reason. A socket.io client receives the event `exception` with the error response as payload, and is then
 * disconnected.
 *
 * @example
 * ```ts
 * @WebSocketGateway()
 * class OrdersGateway implements OnGatewayConnection {
 *   constructor(private readonly sockets: LiveSockets) {}
 *
 *   async handleConnection(socket: Socket) {
 *     await this.sockets.accept(socket, socket.handshake.auth.token);
 *   }
 *
 *   @SubscribeMessage('orders') orders(@ConnectedSocket() socket: Socket) {
 *     const claims = this.sockets.claimsOf(socket); // undefined: not accepted (yet)
 *   }
 *
 *   @SubscribeMessage('renew') async renew(@ConnectedSocket() socket: Socket, @MessageBody() token: string) {
 *     await this.sockets.renew(socket, token);
 *   }
 * }
 * ```
 * @publicApi
 */
@Injectable()
export class LiveSockets {
  private readonly held = new WeakMap<LiveSocket, Held>();

  constructor(
    private readonly tokens: TokenService,
    private readonly live: LiveTokens,
    private readonly clock: AuthClock,
    private readonly meter: AuthMeter,
  ) {}

  /**
   * Verifies the token of a handshake and watches it until the socket closes. If the token is refused, the
   * client receives the error, the socket is closed, and the method returns `undefined`. It does not throw the
   * refusal, because Nest does not catch exceptions from `handleConnection`.
   *
   * Messages may arrive before this resolves, so check {@link claimsOf} in each handler.
   *
   * @param token - The token from the client; `undefined` is refused as `token_missing`.
   * @throws any other error, such as an AuthWiringError for the options, after the socket was closed.
   */
  async accept(
    socket: LiveSocket,
    token: unknown,
    { whenStale, request = handshakeOf(socket) }: AcceptSocketOptions = {},
  ): Promise<TokenClaims | undefined> {
    const options = { whenStale, request };
    try {
      const claims = await this.tokens.verify(token as string, options);
      if (!this.hold(socket, claims, options)) return undefined;
      showToGuards(socket, token, request);
      return claims;
    } catch (error) {
      if (error instanceof AuthException) {
        this.close(socket, error);
        return undefined;
      }
      // A mistake of the application, such as wrong options. The unverified socket must not stay open.
      if (isOfWs(socket)) socket.close(INTERNAL_ERROR, 'error');
      else socket.disconnect(true);
      throw error;
    }
  }

  /**
   * Replaces the token of an open socket with a new token of the same account. The client does not reconnect.
   *
   * @throws AuthException for an invalid token, and `token_invalid` for a token of another account; the socket
   * keeps its current token. If the current token has ended, the exception that ended it.
   */
  async renew(socket: LiveSocket, token: unknown): Promise<TokenClaims> {
    return this.replace(socket, token).catch(this.meter.refused);
  }

  private async replace(socket: LiveSocket, token: unknown): Promise<TokenClaims> {
    const { claims: known, live, options } = this.accepted(socket);
    const claims = await this.tokens.verify(token as string, options);
    if (claims.iss !== known.iss || claims.sub !== known.sub) {
      throw refusal('token_invalid', { message: 'The token is of another account.' });
    }
    // The current token may have ended during the verification. The socket must not be reactivated.
    if (live.end !== undefined) throw live.end;
    if (!this.hold(socket, claims, options)) throw refusal('token_missing');
    showToGuards(socket, token, options.request);
    return claims;
  }

  /**
   * The claims of an open socket's token; `undefined` before the socket is accepted and after its token has
   * ended.
   */
  claimsOf(socket: LiveSocket): TokenClaims | undefined {
    const held = this.held.get(socket);
    return held?.live.end === undefined ? held?.claims : undefined;
  }

  private accepted(socket: LiveSocket): Held {
    const held = this.held.get(socket);
    if (held === undefined) {
      throw refusal('token_missing', { message: 'The socket has no token to renew.' });
    }
    if (held.live.end !== undefined) throw held.live.end;
    return held;
  }

  /** Watches the token. Returns `false` if the socket has closed. */
  private hold(socket: LiveSocket, claims: TokenClaims, options: AcceptSocketOptions): boolean {
    if (!isOpen(socket)) return false;
    const former = this.held.get(socket);
    const { whenStale } = options;
    const onEnd = (end: AuthException): void => this.close(socket, end);
    const live = this.live.watch(claims, { whenStale, onEnd });
    this.held.set(socket, { claims, live, options });
    // The new token is watched before the old one is released, so that the socket is never
    // unwatched.
    former?.live.release();
    if (former === undefined) {
      const release = (): void => this.release(socket);
      if (isOfWs(socket)) socket.once('close', release);
      else socket.once('disconnect', release);
    }
    return true;
  }

  private release(socket: LiveSocket): void {
    this.held.get(socket)?.live.release();
    this.held.delete(socket);
  }

  /**
   * Sends the refusal and closes the socket. A ws client that does not answer the close frame is
   * cut off.
   */
  private close(socket: LiveSocket, end: AuthException): void {
    if (!isOfWs(socket)) {
      socket.emit('exception', socketBody(end));
      socket.disconnect(true);
      return;
    }
    socket.close(4_000 + end.getStatus(), end.code);
    const cancel = this.clock.schedule(CLOSE_TIMEOUT, () => socket.terminate());
    socket.once('close', cancel);
  }
}

/** From the next message on, a gateway's guards check this token instead of the handshake's token. */
function showToGuards(
  socket: LiveSocket,
  token: unknown,
  opened: HandshakeRequest | undefined,
): void {
  rememberHandshake(socket, { headers: { authorization: `Bearer ${token as string}` }, opened });
}

/** The request that opened a socket, as socket.io exposes it. */
function handshakeOf(socket: LiveSocket): HandshakeRequest | undefined {
  return (socket as { readonly handshake?: HandshakeRequest }).handshake;
}

function isOfWs(socket: LiveSocket): socket is WsSocket {
  return !('disconnect' in socket);
}

/** The client may have disconnected during the verification. */
function isOpen(socket: LiveSocket): boolean {
  return isOfWs(socket) ? socket.readyState <= 1 : socket.connected;
}
