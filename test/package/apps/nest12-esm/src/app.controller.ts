import { Body, Controller, Get, HttpCode, Post, UnauthorizedException } from '@nestjs/common';
import {
  AllowExpired,
  CurrentToken,
  CurrentUser,
  LogoutService,
  Public,
  SessionService,
  type TokenClaims,
} from 'nestjs-logout';

/** The whole of a login, by the README. */
@Controller()
export class AppController {
  constructor(
    private readonly sessions: SessionService,
    private readonly logoutService: LogoutService,
  ) {}

  @Public()
  @Post('auth/login')
  @HttpCode(200)
  async login(@Body() { username, password }: { username?: string; password?: string }) {
    const login = await this.sessions.login(async () =>
      username === 'john' && password === 'changeme'
        ? { subject: 1, claims: { userId: 1, username } }
        : null,
    );
    if (login === null) throw new UnauthorizedException();
    return { access_token: login.accessToken };
  }

  @Get('profile')
  profile(@CurrentUser() user: TokenClaims) {
    return user;
  }

  @AllowExpired()
  @Post('auth/logout')
  @HttpCode(204)
  async logout(@CurrentToken() token: TokenClaims) {
    await this.logoutService.logout(token);
  }
}
