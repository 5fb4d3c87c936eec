import {
  AllowExpired,
  CurrentToken,
  CurrentUser,
  Freshness,
  OptionalAuth,
  Public,
  type TokenClaims,
} from 'nestjs-logout';

// On classes and on methods, with and without a value where there is one.
@Public()
@OptionalAuth()
@Freshness('strict')
export class AllOfIt {
  @Public(false)
  @OptionalAuth()
  @AllowExpired()
  @Freshness(2.5)
  handler(
    @CurrentUser() user: object | undefined,
    @CurrentUser('name') name: string | undefined,
    @CurrentToken() token: TokenClaims | undefined,
  ): unknown {
    return user ?? name ?? token;
  }
}

// @ts-expect-error "strict" or a number of seconds
Freshness('soon');
// @ts-expect-error open or not
Public('yes');
// @ts-expect-error a property's name
CurrentUser(1);
