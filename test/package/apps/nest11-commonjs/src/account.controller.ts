import { Body, Controller, HttpCode, Post, UnauthorizedException } from '@nestjs/common';
import {
  AllowExpired,
  CurrentToken,
  LogoutService,
  Public,
  SessionService,
  type TokenClaims,
} from 'nestjs-logout';

@Controller('auth')
export class AccountController {
  constructor(
    private readonly sessions: SessionService,
    private readonly logoutService: LogoutService,
  ) {}

  @Public()
  @Post('login')
  @HttpCode(200)
  async login(@Body() { username, password }: { username?: string; password?: string }) {
    const login = await this.sessions.login(async () =>
      username === 'john' && password === 'changeme' ? { subject: 'john' } : null,
    );
    if (login === null) throw new UnauthorizedException();
    return { access_token: login.accessToken };
  }

  @AllowExpired()
  @Post('logout')
  @HttpCode(204)
  async logout(@CurrentToken() token: TokenClaims) {
    await this.logoutService.logout(token);
  }
}
