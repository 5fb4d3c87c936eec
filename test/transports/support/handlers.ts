import { type ExecutionContext, type Type, UseGuards } from '@nestjs/common';
import {
  AllowExpired,
  CurrentToken,
  CurrentUser,
  Freshness,
  JwtAuthGuard,
  OptionalAuth,
  Public,
  RecentLogin,
  RevocationGuard,
  type TokenClaims,
  type VerifiedClaims,
  WhenStale,
} from 'nestjs-logout';

/** What a transport can be asked; each is one way to be guarded. */
export const HANDLERS = [
  'guarded',
  'open',
  'optional',
  'strict',
  'lenient',
  'last',
  'recent',
  'twice',
  'longAgo',
] as const;
export type Handler = (typeof HANDLERS)[number];

/** Behind another authentication, whose user logged in long ago. */
class LongAgoGuard extends RevocationGuard {
  protected override getClaims(context: ExecutionContext): VerifiedClaims {
    return { ...super.getClaims(context), auth_time: 0 } as VerifiedClaims;
  }
}

/** Where a test puts the guard. */
export type Placement = 'APP_GUARD' | 'useGlobalGuards' | '@UseGuards';

/**
 * The same handlers for every transport, as a separate class for each, because decorators mark the
 * functions.
 *
 * @param mark - Decorates a handler of the transport for each method.
 * @param say - Makes the transport's answer from the user.
 */
export function handlersOf(
  placement: Placement,
  mark: (name: Handler) => MethodDecorator,
  say: (who: string) => unknown = (who) => who,
): Type {
  class Handlers {
    guarded(@CurrentUser('sub') user?: string, @CurrentToken() token?: TokenClaims): unknown {
      return say(nameOf(user, token));
    }

    @Public()
    open(@CurrentUser('sub') user?: string, @CurrentToken() token?: TokenClaims): unknown {
      return say(nameOf(user, token));
    }

    @OptionalAuth()
    optional(@CurrentUser('sub') user?: string, @CurrentToken() token?: TokenClaims): unknown {
      return say(nameOf(user, token));
    }

    @Freshness('strict')
    strict(@CurrentUser('sub') user?: string, @CurrentToken() token?: TokenClaims): unknown {
      return say(nameOf(user, token));
    }

    @WhenStale({ staleFor: '1h' })
    lenient(@CurrentUser('sub') user?: string, @CurrentToken() token?: TokenClaims): unknown {
      return say(nameOf(user, token));
    }

    @AllowExpired()
    last(@CurrentUser('sub') user?: string, @CurrentToken() token?: TokenClaims): unknown {
      return say(nameOf(user, token));
    }

    @RecentLogin('5m')
    recent(@CurrentUser('sub') user?: string, @CurrentToken() token?: TokenClaims): unknown {
      return say(nameOf(user, token));
    }

    @UseGuards(JwtAuthGuard, RevocationGuard)
    twice(@CurrentUser('sub') user?: string, @CurrentToken() token?: TokenClaims): unknown {
      return say(nameOf(user, token));
    }

    @RecentLogin('5m')
    @UseGuards(JwtAuthGuard, LongAgoGuard)
    longAgo(): unknown {
      return say('nobody');
    }
  }
  for (const name of HANDLERS) {
    const method = Object.getOwnPropertyDescriptor(Handlers.prototype, name);
    if (method !== undefined) mark(name)(Handlers.prototype, name, method);
  }
  if (placement === '@UseGuards') UseGuards(JwtAuthGuard)(Handlers);
  return Handlers;
}

/** Whom both decorators see. */
function nameOf(user: string | undefined, token: TokenClaims | undefined): string {
  return user === token?.sub ? (user ?? 'nobody') : `${user} with the token of ${token?.sub}`;
}
