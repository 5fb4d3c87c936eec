import {
  AllowExpired,
  CurrentToken,
  CurrentUser,
  Freshness,
  OptionalAuth,
  Public,
  type StalePolicy,
  type TokenClaims,
  WhenStale,
} from 'nestjs-logout';

// On classes and on methods, with and without a value where there is one.
@Public()
@OptionalAuth()
@Freshness('strict')
@WhenStale('closed')
export class AllOfIt {
  @Public(false)
  @OptionalAuth()
  @AllowExpired()
  @Freshness(2.5)
  @WhenStale({ staleFor: '10m' })
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
// @ts-expect-error a policy by its name
WhenStale(true);
// @ts-expect-error a duration has a name, too
WhenStale('10m');
export const policies: StalePolicy[] = ['closed', 'open', { staleFor: 60 }];
// @ts-expect-error open or not
Public('yes');
// @ts-expect-error a property's name
CurrentUser(1);
