import { Inject, Injectable } from '@nestjs/common';
import { TOKEN_BINDING, type TokenBinding } from '../binding/token-binding.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthException, AuthUnavailableException, refusal } from '../errors/auth.exception.js';
import type { AuthErrorCode } from '../errors/error-codes.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import type { StalePolicy } from '../options/operation-settings.js';
import type { TokenClaims } from '../options/token-claims.js';
import { type HandshakeRequest, readHandshake } from '../platform/handshake.js';
import { assertHeaders, type AuthRequest, KID_OF_CLAIMS } from '../platform/request.js';
import { INSTANCE_LABEL } from '../revocation/log/instance-presence.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import type { TokenEnding } from '../revocation/log/token-endings.js';
import { NO_KEY } from '../revocation/revocation-decider.service.js';
import { RevocationService } from '../revocation/revocation.service.js';
import type { Freshness } from '../revocation/staleness/freshness.decorators.js';
import { OpaqueTokens } from './opaque-tokens.js';
import {
  DEFAULT_DEMAND,
  type SignedToken,
  type TokenDemand,
  TokenVerifier,
} from './token-verifier.js';
import { TokenSource } from './token-source.js';
import type { VerifiedToken } from './verified-tokens.js';

/** The options of {@link TokenService.verify} and {@link TokenService.verifyRequest}. @publicApi */
export interface VerifyTokenOptions {
  /**
   * How old the last poll of the log may be. It can only lower `maxStaleness`.
   *
   * @default the option `maxStaleness`
   */
  freshness?: Freshness | undefined;
  /**
   * What happens to the token while freshness cannot be proven. It cannot be combined with `'strict'`. A policy
   * that is wider than any found at boot throws: put `@WhenStale()` on the gateway or job too.
   *
   * @default the option `whenStale`; `'closed'` where `freshness` is given
   */
  whenStale?: StalePolicy | undefined;
  /**
   * Accepts an expired or revoked token, like `@AllowExpired()`. Use it only for a call that
   * revokes the session. It cannot be combined with `freshness` or `whenStale`.
   *
   * @default false
   */
  allowExpired?: boolean | undefined;
  /**
   * The request that contained the token, or that opened the connection. Without it a token that is bound to
   * its client is refused, because the client is not known.
   */
  request?: HandshakeRequest | undefined;
  /**
   * Accepts a bound token without its client. Use it only to inspect a token: a stolen token is
   * accepted too.
   *
   * @default false
   */
  ignoreBinding?: boolean | undefined;
}

/** The result of {@link TokenService.explain}. @publicApi */
export interface TokenExplanation {
  /** Whether this instance would accept the token now. */
  readonly accepted: boolean;
  /** The code with which the guard would refuse it; `null` if it is accepted. */
  readonly code: AuthErrorCode | null;
  /** The verified claims; `null` if the signature or a claim is not valid. */
  readonly claims: TokenClaims | null;
  /** The key that signed it; `null` without claims, and for an opaque token. */
  readonly kid: string | null;
  /** When it expires; `null` without claims. */
  readonly validUntil: Date | null;
  /** What revoked it, oldest first; `null` while the log cannot be read, and without claims. */
  readonly revokedBy: readonly TokenEnding[] | null;
  /** The instance that answers, and its state. Another one may be up to `maxStaleness` behind. */
  readonly instance: {
    /** `host:pid`. */
    readonly label: string;
    /** The last position of the log that this instance has read. */
    readonly position: number;
    /** Seconds since the last proof of freshness; `null` while there is none. */
    readonly staleness: number | null;
  };
}

/**
 * Verifies access tokens where no guard runs: at the handshake of a socket, or in a job. The checks
 * and the exceptions are those of the guard, specified in docs/requirements.md, "Access tokens".
 *
 * @example
 * ```ts
 * async handleConnection(socket: Socket) {
 *   try {
 *     socket.data.claims = await this.tokens.verifyRequest(socket.handshake);
 *   } catch {
 *     socket.disconnect(true); // Nest does not catch what handleConnection throws
 *   }
 * }
 * ```
 * @publicApi
 */
@Injectable()
export class TokenService {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly meter: AuthMeter,
    private readonly source: TokenSource,
    private readonly revocation: RevocationService,
    private readonly log: RevocationLog,
    @Inject(TOKEN_BINDING) private readonly binding: TokenBinding | null,
    @Inject(OpaqueTokens) private readonly opaque: OpaqueTokens | undefined,
  ) {}

  /**
   * Returns the claims of a token, or throws if the token is not valid now.
   *
   * A token that is bound to its client (option `binding`) needs `request`; without it the token is refused
   * with `binding_mismatch`, unless `ignoreBinding` is set. With `allowExpired` the client is not checked.
   *
   * @throws AuthException like the guard: 401 with a code (`token_missing` for `undefined`), or 503
   * `revocation_state_unknown`.
   * @throws AuthWiringError for `allowExpired` together with `freshness` or `whenStale`.
   */
  async verify(text: string, options: VerifyTokenOptions = {}): Promise<TokenClaims> {
    const { request } = options;
    const isNeeded = this.binding !== null && request !== undefined;
    return this.verifyFound(() => text, options, isNeeded ? readHandshake(request) : undefined);
  }

  /**
   * Returns the claims of the token of a handshake: the upgrade request of ws, `socket.handshake` of socket.io,
   * or an object with `headers`. The token is in the header `Authorization`, in the cookie if cookies are on,
   * or in the property `auth` of the handshake.
   *
   * A cookie is accepted only if a page of the API's own origin, or of `cookies.origins`, opened the
   * connection, because a browser sends cookies with a handshake that any page opens (ASVS 5.0 4.4.2).
   *
   * @throws AuthException like {@link TokenService.verify}; 400 `invalid_request` for two tokens, 403
   * `csrf_refused` for a cookie that a page of another site sent.
   * @throws AuthWiringError for an object without headers.
   * @example
   * ```ts
   * server.on('upgrade', async (request, socket) => {
   *   await tokens.verifyRequest(request).catch(() => socket.destroy());
   * });
   * ```
   */
  async verifyRequest(
    handshake: HandshakeRequest,
    options: VerifyTokenOptions = {},
  ): Promise<TokenClaims> {
    assertHeaders(handshake);
    const request = readHandshake(handshake);
    return this.verifyFound(() => this.source.read(request), options, request);
  }

  private async verifyFound(
    find: () => string | undefined,
    { freshness, whenStale, allowExpired = false, ignoreBinding = false }: VerifyTokenOptions,
    request: AuthRequest | undefined,
  ): Promise<TokenClaims> {
    const demand = { allowExpired, freshness, whenStale };
    if (allowExpired && (freshness ?? whenStale) !== undefined) throw proofForRevoked();
    try {
      const found = this.read(find(), demand);
      // A JWT is decided synchronously, as in the guard. Only the row of an opaque token is
      // awaited.
      const token = this.verifier.accept(found instanceof Promise ? await found : found, demand);
      if (this.binding !== null && !allowExpired && !ignoreBinding) {
        await this.binding.check(request, token);
      }
      await this.verifier.decide(token, demand);
      const claims = this.verifier.copyClaims(token);
      KID_OF_CLAIMS.set(claims, token.key.kid);
      return claims;
    } catch (error) {
      this.meter.refuse(error);
      throw error;
    }
  }

  /**
   * Explains why a user is logged out: whether this instance would accept the token now, what
   * revoked it, when, and who did it. It reads the log in the database, so do not call it for each
   * request. It never throws for a refused token.
   *
   * The result contains the actor of a logout. Show it to operators, not to the holder of the
   * token.
   *
   * @example
   * ```ts
   * const { code, revokedBy } = await tokens.explain(token);
   * // 'session_ended', [{ kind: 'subject', reason: 'password_changed', actor: 'alice', at, position }]
   * ```
   */
  async explain(text: string): Promise<TokenExplanation> {
    const { position, staleness } = this.revocation.status();
    const instance = { label: INSTANCE_LABEL, position, staleness };
    let kid: string | null = null;
    let claims: TokenClaims | null = null;
    let code: AuthErrorCode | null = null;
    try {
      const any = { ...DEFAULT_DEMAND, allowExpired: true };
      const found = this.verifier.accept(await this.read(text, any), any);
      kid = found.key.kid;
      claims = this.verifier.copyClaims(found);
      const token = this.verifier.accept(await this.read(text, DEFAULT_DEMAND), DEFAULT_DEMAND);
      await this.verifier.decide(token, DEFAULT_DEMAND);
    } catch (error) {
      if (!(error instanceof AuthException)) throw error;
      ({ code } = error);
    }
    return {
      accepted: code === null,
      code,
      claims,
      kid: kid === NO_KEY ? null : kid,
      validUntil: claims === null ? null : new Date(claims.exp * 1000),
      revokedBy: claims === null || kid === null ? null : await this.endingsOf(claims, kid),
      instance,
    };
  }

  /** Reads a token. A caller without TypeScript may pass anything. */
  private read(
    text: unknown,
    demand: TokenDemand,
  ): VerifiedToken | SignedToken | Promise<VerifiedToken> {
    if (text === undefined || text === null) throw refusal('token_missing');
    if (typeof text !== 'string') throw refusal('token_malformed');
    return this.opaque?.verify(text, demand) ?? this.verifier.verify(text);
  }

  private async endingsOf(claims: TokenClaims, kid: string): Promise<TokenEnding[] | null> {
    try {
      return await this.log.endingsOf(claims, kid);
    } catch (error) {
      if (error instanceof AuthUnavailableException) return null;
      throw error;
    }
  }
}

function proofForRevoked(): AuthWiringError {
  return new AuthWiringError(
    'allowExpired accepts revoked tokens, so freshness and whenStale would do nothing.',
    'Omit allowExpired if a revoked token must be refused.',
    'Or omit freshness and whenStale: a logout needs no proof that its token was not revoked.',
  );
}
