import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthException } from '../errors/auth.exception.js';
import type { TokenClaims, VerifiedClaims } from '../options/token-claims.js';
import {
  type AuthRequest,
  challengeWithDpop,
  claimsOf,
  kidOfRequest,
  rememberClaims,
  requestOf,
  setResponseHeaders,
} from '../platform/request.js';
import { throwTo } from '../platform/transport-refusal.js';
import { assertRecentLogin, recentLoginOf } from './recent-login.js';
import { RevocationService } from './revocation.service.js';
import { routeDemandOf } from './staleness/freshness.decorators.js';
import { kidOf } from './token-identity.js';

/**
 * Refuses revoked tokens behind any other authentication: an own strategy, an API gateway, another
 * library. {@link JwtAuthGuard} does not need it: it asks the same question itself.
 *
 * It obeys `@Freshness()`, `@WhenStale()` and, by the claim `auth_time`, `@RecentLogin()`. The issuer must be `issuer` or one of the option `foreign`.
 *
 * It looks for revocation and nothing else: signature, `exp` and `nbf` are checked by the
 * authentication in front of it. An expired token is refused here only a minute after its end.
 *
 * Tokens of a revoked key are found by their `kid`; see {@link RevocationGuard.getKid}.
 *
 * `@CurrentToken()` gives the claims behind it, with the `jti` and `sid` by which `logout()` ends the token.
 *
 * @example Behind a strategy of your own, which leaves the verified payload in `request.user`:
 * ```ts
 * @Injectable()
 * class PartnerRevocationGuard extends RevocationGuard {
 *   protected override getClaims(context: ExecutionContext) {
 *     return context.switchToHttp().getRequest().user;
 *   }
 * }
 * // @UseGuards(AuthGuard('partner'), PartnerRevocationGuard)
 * ```
 * @publicApi
 */
@Injectable()
export class RevocationGuard implements CanActivate {
  @Inject(RevocationService)
  protected readonly revocation: RevocationService | undefined;

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.revocation === undefined) {
      throw new AuthWiringError(
        'RevocationGuard is used in a module that cannot inject the providers of AuthModule.',
        'Import AuthModule.forRoot() in the root module; it is global.',
      );
    }
    const claims = this.getClaims(context);
    if (claims === undefined || claims === null) {
      throw new AuthWiringError(
        'RevocationGuard found no verified claims: it ran before authentication, or the claims are not in request.user.',
        'Put the authenticating guard first: @UseGuards(AuthGuard(…), RevocationGuard).',
        'Extend RevocationGuard and override getClaims(context).',
      );
    }
    try {
      const [handler, type] = [context.getHandler(), context.getClass()];
      const demand = routeDemandOf(handler, type);
      const token = this.getToken(context);
      await this.revocation.assertActive(claims, { ...demand, kid: this.getKid(context), token });
      const recentLogin = recentLoginOf(handler, type);
      if (recentLogin !== undefined) {
        assertRecentLogin(claims, recentLogin, this.revocation.now());
      }
      if (hasRequest(context)) {
        // For `@CurrentToken()`: with the ids by which `logout()` ends this token.
        const request = requestOf(context);
        const known = this.revocation.identify(claims, token);
        rememberClaims(request, known as TokenClaims, kidOfRequest(request));
      }
      return true;
    } catch (error) {
      if (error instanceof AuthException) {
        // It was accepted by the authentication in front of this guard.
        if (hasRequest(context) && isDpop(requestOf(context))) {
          challengeWithDpop(requestOf(context));
        }
        setResponseHeaders(context, error.headers);
      }
      return throwTo(context, error);
    }
  }

  /** Where the verified claims are; override it behind an authentication that is not ours. */
  protected getClaims(context: ExecutionContext): VerifiedClaims | undefined {
    return claimsOf(requestOf(context));
  }

  /**
   * The `kid` of the key that verified the token: what our own strategy used, else what the header of
   * the bearer token says. Without one every token is refused once a key of its issuer was revoked.
   *
   * Override it where your authentication takes the token from elsewhere (a cookie), or where it does
   * not choose its key by the header's `kid`: otherwise the holder of a leaked key names another one.
   */
  protected getKid(context: ExecutionContext): string | undefined {
    if (!hasRequest(context)) return undefined;
    const own = kidOfRequest(requestOf(context));
    if (own !== undefined) return own;
    const token = this.getToken(context);
    return token === undefined ? undefined : kidOf(token);
  }

  /**
   * The token's text: by default that of the header `Authorization: Bearer …`. It is needed for tokens
   * that have neither `jti` nor `sid`. Override it where your authentication takes it from elsewhere.
   */
  protected getToken(context: ExecutionContext): string | undefined {
    if (!hasRequest(context)) return undefined;
    const header = headersOf(requestOf(context))['authorization'];
    if (typeof header !== 'string') return undefined;
    const [scheme = '', token] = header.split(' ', 2);
    return ['bearer', 'dpop'].includes(scheme.toLowerCase()) ? token : undefined;
  }
}

function hasRequest(context: ExecutionContext): boolean {
  return ['http', 'graphql', 'ws', 'rpc'].includes(context.getType<string>());
}

function isDpop(request: AuthRequest): boolean {
  return /^dpop /i.test(String(headersOf(request)['authorization'] ?? ''));
}

/** Another library may have authenticated the socket, so its handshake may be unknown here. */
function headersOf(request: AuthRequest): AuthRequest['headers'] {
  try {
    return request.headers;
  } catch (error) {
    if (error instanceof AuthWiringError) return {};
    throw error;
  }
}
