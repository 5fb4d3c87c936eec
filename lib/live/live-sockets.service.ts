import { Injectable } from '@nestjs/common';
import { TokenService } from '../authentication/token.service.js';
import { AuthException, refusal } from '../errors/auth.exception.js';
import type { StalePolicy } from '../options/operation-settings.js';
import type { TokenClaims } from '../options/token-claims.js';
import { AuthClock } from '../platform/auth-clock.js';
import { type HandshakeRequest, rememberHandshake } from '../platform/handshake.js';
import { socketBody } from '../platform/transport-refusal.js';
import { LiveTokens } from './live-tokens.service.js';
import type { LiveToken } from './watch.js';

/** How long a client may take to answer the close frame before its socket is terminated (ms). */
const CLOSE_TIMEOUT = 1_000;
/** WebSocket: an error of the application (RFC 6455 section 7.4.1). */
const INTERNAL_ERROR = 1011;

/** What is used of a socket of ws, also of the `extra.socket` of graphql-ws. @publicApi */
export interface WsSocket {
  readonly readyState: number;
  close(code: number, reason: string): void;
  terminate(): void;
  once(event: 'close', listener: () => void): unknown;
}

/** What is used of a socket of socket.io. @publicApi */
export interface SocketIoSocket {
  readonly connected: boolean;
  emit(event: 'exception', body: unknown): unknown;
  disconnect(close: boolean): unknown;
  once(event: 'disconnect', listener: () => void): unknown;
}

/** A socket of either library. @publicApi */
export type LiveSocket = WsSocket | SocketIoSocket;

/** Options of {@link LiveSockets.accept}. @publicApi */
export interface AcceptSocketOptions {
  /** See `@WhenStale()`. It holds for the handshake and while the socket is open. */
  readonly whenStale?: StalePolicy | undefined;
  /**
   * The request that opened the socket, for a token that is bound to its client (option `binding`). That of
   * socket.io is known.
   */
  readonly request?: HandshakeRequest | undefined;
}

interface Held {
  readonly claims: TokenClaims;
  readonly live: LiveToken;
  readonly options: AcceptSocketOptions;
}

/**
 * Authenticates sockets of socket.io, ws and graphql-ws at their handshake. When the token is revoked or
 * expires, every instance closes its sockets.
 *
 * A client of ws gets the close code 4401 (4503 while freshness cannot be proven) with the error code as
 * reason. A client of socket.io gets the event `exception` with the body of the refusal, and is
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
  ) {}

  /**
   * Verifies the token of a handshake and watches it until the socket closes. A refused socket gets the
   * refusal and is closed. Then the result is `undefined`: Nest does not catch what `handleConnection` throws.
   *
   * Messages may arrive before this resolves, so check {@link claimsOf} in each handler.
   *
   * @param token - What the client sent as token; `undefined` is `token_missing`.
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
      // A socket that was not verified does not stay open.
      if (isOfWs(socket)) socket.close(INTERNAL_ERROR, 'error');
      else socket.disconnect(true);
      throw error;
    }
  }

  /**
   * Replaces the token of an open socket with a renewed one of the same account, without a reconnect.
   *
   * @throws AuthException for a bad token, and `token_invalid` for one of another account; the socket keeps
   * its token. Once its token has ended: the refusal that ended it.
   */
  async renew(socket: LiveSocket, token: unknown): Promise<TokenClaims> {
    const { claims: known, live, options } = this.accepted(socket);
    const claims = await this.tokens.verify(token as string, options);
    if (claims.iss !== known.iss || claims.sub !== known.sub) {
      throw refusal('token_invalid', { message: 'The token is of another account.' });
    }
    // It may have ended while the new one was verified, and must not come back.
    if (live.end !== undefined) throw live.end;
    if (!this.hold(socket, claims, options)) throw refusal('token_missing');
    showToGuards(socket, token, options.request);
    return claims;
  }

  /** The claims of the token of an open socket; `undefined` before it is accepted, and once its token has ended. */
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

  /** Watches the token, unless the socket has closed: then `false`. */
  private hold(socket: LiveSocket, claims: TokenClaims, options: AcceptSocketOptions): boolean {
    if (!isOpen(socket)) return false;
    const former = this.held.get(socket);
    const { whenStale } = options;
    const onEnd = (end: AuthException): void => this.close(socket, end);
    const live = this.live.watch(claims, { whenStale, onEnd });
    this.held.set(socket, { claims, live, options });
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

/** A guard of a gateway judges this token at the next message, and no longer that of the handshake. */
function showToGuards(
  socket: LiveSocket,
  token: unknown,
  opened: HandshakeRequest | undefined,
): void {
  rememberHandshake(socket, { headers: { authorization: `Bearer ${token as string}` }, opened });
}

/** What a socket of socket.io knows of the request that opened it. */
function handshakeOf(socket: LiveSocket): HandshakeRequest | undefined {
  return (socket as { readonly handshake?: HandshakeRequest }).handshake;
}

function isOfWs(socket: LiveSocket): socket is WsSocket {
  return !('disconnect' in socket);
}

/** The client may have left while its token was verified. */
function isOpen(socket: LiveSocket): boolean {
  return isOfWs(socket) ? socket.readyState <= 1 : socket.connected;
}
