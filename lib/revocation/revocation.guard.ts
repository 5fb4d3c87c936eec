import {
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  Optional,
} from '@nestjs/common';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthException } from '../errors/auth.exception.js';
import { AuthMeter } from '../events/auth-meter.service.js';
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

const METER = Symbol('nestjs-logout:meter');

/**
 * Refuses revoked tokens behind any other authentication: your own strategy, an API gateway,
 * another library. {@link JwtAuthGuard} does not need it, because it makes the same check itself.
 *
 * It obeys `@Freshness()`, `@WhenStale()` and, by the claim `auth_time`, `@RecentLogin()`. The
 * claim `iss` must be the option `issuer` or an issuer of the option `foreign`.
 *
 * It only checks revocation. The authentication in front of it must check the signature, `exp` and
 * `nbf`: this guard refuses an expired token only a minute after its `exp`.
 *
 * Tokens of a revoked key are found by their `kid`; see {@link RevocationGuard.getKid}.
 *
 * Behind it, `@CurrentToken()` returns the claims with the `jti` and `sid` by which `logout()`
 * revokes the token.
 *
 * @throws AuthUnauthorizedException as {@link RevocationService.assertActive}, and `login_too_old`.
 * @throws AuthUnavailableException `revocation_state_unknown` (503) if this instance cannot prove
 * that it is fresh.
 * @throws AuthWiringError if there are no verified claims, or if AuthModule is not imported.
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

  // Its name cannot be that of a member of a subclass.
  @Optional()
  @Inject(AuthMeter)
  readonly [METER]?: AuthMeter;

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.revocation === undefined) {
      throw new AuthWiringError(
        'RevocationGuard is used in a module that cannot inject the providers of AuthModule.',
        'Import AuthModule.forRoot() in the root module; it is global.',
      );
    }
    try {
      const claims = this.getClaims(context);
      if (claims === undefined || claims === null) throw withoutClaims();
      const [handler, type] = [context.getHandler(), context.getClass()];
      const demand = routeDemandOf(handler, type);
      const token = this.getToken(context);
      await this.revocation.assertActive(claims, { ...demand, kid: this.getKid(context), token });
      const recentLogin = recentLoginOf(handler, type);
      if (recentLogin !== undefined) {
        assertRecentLogin(claims, recentLogin, this.revocation.now());
      }
      if (hasRequest(context)) {
        // For `@CurrentToken()`, with the ids by which `logout()` revokes this token.
        const request = requestOf(context);
        const known = this.revocation.identify(claims, token);
        rememberClaims(request, known as TokenClaims, kidOfRequest(request));
      }
      return true;
    } catch (error) {
      if (error instanceof AuthException) {
        // Behind a gateway or a message handler no exception filter of ours counts it.
        this[METER]?.refuse(error);
        // The authentication in front accepted a DPoP token, so the challenge must be of the same
        // scheme (RFC 9449 section 7.1).
        if (hasRequest(context) && isDpop(requestOf(context))) {
          challengeWithDpop(requestOf(context));
        }
        setResponseHeaders(context, error.headers);
      }
      return throwTo(context, error);
    }
  }

  /**
   * Returns the verified claims, by default those of `JwtStrategy`. Override it behind any other
   * authentication, for example to return `request.user`. The claims must be verified, because this
   * guard trusts them.
   */
  protected getClaims(context: ExecutionContext): VerifiedClaims | undefined {
    return claimsOf(requestOf(context));
  }

  /**
   * The `kid` of the key that verified the token: the one that our own strategy used, else the one
   * in the header of the bearer token. Without a `kid`, every token is refused once a key of its
   * issuer was revoked.
   *
   * Override it if your authentication reads the token from elsewhere (a cookie), or does not
   * choose its key by the `kid` of the header. Otherwise an attacker with a leaked key can write
   * another `kid` into the header, and the revocation of the key does not apply.
   */
  protected getKid(context: ExecutionContext): string | undefined {
    if (!hasRequest(context)) return undefined;
    const own = kidOfRequest(requestOf(context));
    if (own !== undefined) return own;
    const token = this.getToken(context);
    return token === undefined ? undefined : kidOf(token);
  }

  /**
   * The encoded token, by default that of the header `Authorization: Bearer …` (or `DPoP …`). It is
   * needed for tokens that have neither `jti` nor `sid`. Override it if your authentication reads
   * the token from elsewhere.
   */
  protected getToken(context: ExecutionContext): string | undefined {
    if (!hasRequest(context)) return undefined;
    const header = headersOf(requestOf(context))['authorization'];
    if (typeof header !== 'string') return undefined;
    const [scheme = '', token] = header.split(' ', 2);
    return ['bearer', 'dpop'].includes(scheme.toLowerCase()) ? token : undefined;
  }
}

function withoutClaims(): AuthWiringError {
  return new AuthWiringError(
    'RevocationGuard found no verified claims: it ran before the authentication, or something other than JwtStrategy of nestjs-logout authenticates.',
    'Put the authenticating guard first: @UseGuards(AuthGuard(…), RevocationGuard).',
    'Behind another authentication, extend RevocationGuard and override getClaims(context), for example to return request.user.',
  );
}

function hasRequest(context: ExecutionContext): boolean {
  return ['http', 'graphql', 'ws', 'rpc'].includes(context.getType<string>());
}

function isDpop(request: AuthRequest): boolean {
  return /^dpop /i.test(String(headersOf(request)['authorization'] ?? ''));
}

/**
 * Another library may have authenticated a socket whose handshake is unknown here. Then there are
 * no headers, which is not an error.
 */
function headersOf(request: AuthRequest): AuthRequest['headers'] {
  try {
    return request.headers;
  } catch (error) {
    if (error instanceof AuthWiringError) return {};
    throw error;
  }
}
