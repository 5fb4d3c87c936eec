import { Inject, Injectable } from '@nestjs/common';
import { TokenService } from '../authentication/token.service.js';
import { AuthException } from '../errors/auth.exception.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { isRefreshToken } from '../sessions/refresh-token.js';
import { RefreshTokenInspector } from '../sessions/refresh-token.inspector.js';

/** RFC 7662 section 2.2. */
export type Introspection =
  | { readonly active: false }
  | {
      readonly active: true;
      /** `Bearer` for an access token; a refresh token is told apart, so that no API takes it. */
      readonly token_type: 'Bearer' | 'refresh_token';
      readonly [member: string]: unknown;
    };

const INACTIVE: Introspection = Object.freeze({ active: false });

/** Says whether a token is live, and what it says; of one that is not, nothing else. */
@Injectable()
export class TokenIntrospector {
  constructor(
    private readonly tokens: TokenService,
    private readonly refreshTokens: RefreshTokenInspector,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {}

  /** @throws AuthUnavailableException 503 when it cannot be told. */
  async introspect(token: string): Promise<Introspection> {
    return isRefreshToken(token) ? this.ofRefresh(token) : this.ofAccess(token);
  }

  private async ofAccess(token: string): Promise<Introspection> {
    try {
      // Ours last: a claim of the application cannot say them differently.
      return { ...(await this.tokens.verify(token)), active: true, token_type: 'Bearer' };
    } catch (error) {
      if (error instanceof AuthException && error.getStatus() === 401) return INACTIVE;
      throw error;
    }
  }

  private async ofRefresh(token: string): Promise<Introspection> {
    const live = await this.refreshTokens.inspect(token);
    if (live === undefined) return INACTIVE;
    return {
      active: true,
      token_type: 'refresh_token',
      iss: this.options.issuer,
      sub: live.session.subject,
      sid: live.session.sid,
      exp: Math.floor(live.expiresAt / 1000),
    };
  }
}
