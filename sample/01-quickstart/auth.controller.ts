import { Body, Controller, HttpCode, Post, UseGuards } from '@nestjs/common';
import {
  AllowExpired,
  AuthException,
  AuthUnauthorizedException,
  CurrentToken,
  JwtAuthGuard,
  LogoutService,
  SessionService,
  type TokenClaims,
} from 'nestjs-logout';
import { Accounts } from './accounts.js';

/** The answer of a login, in the words of RFC 6749 section 5.1. */
interface TokenResponse {
  access_token: string;
  token_type: 'Bearer';
  expires_in: number;
  session_id: string;
}

@Controller('auth')
export class AuthController {
  constructor(
    private readonly accounts: Accounts,
    private readonly sessions: SessionService,
    private readonly logoutService: LogoutService,
  ) {}

  @Post('login')
  @HttpCode(200)
  async login(@Body() body: unknown): Promise<TokenResponse> {
    const { username, password } = credentialsOf(body);
    const login = await this.sessions.login(async () => {
      const account = await this.accounts.verify(username, password);
      return account && { subject: account.name, claims: { role: account.role } };
    });
    if (login === null) {
      throw new AuthUnauthorizedException(
        'credentials_invalid',
        'The user name or the password is wrong.',
      );
    }
    return {
      access_token: login.accessToken,
      token_type: 'Bearer',
      expires_in: login.expiresIn,
      session_id: login.sessionId,
    };
  }

  /** Also with a token that has expired or was logged out before: a logout can always be repeated. */
  @Post('logout')
  @HttpCode(204)
  @AllowExpired()
  @UseGuards(JwtAuthGuard)
  async logout(@CurrentToken() token: TokenClaims): Promise<void> {
    await this.logoutService.logout(token);
  }

  @Post('logout-others')
  @HttpCode(204)
  @UseGuards(JwtAuthGuard)
  async logoutOthers(@CurrentToken() token: TokenClaims): Promise<void> {
    await this.logoutService.logoutOthers(token);
  }

  @Post('logout-all')
  @HttpCode(204)
  @UseGuards(JwtAuthGuard)
  async logoutAll(@CurrentToken() token: TokenClaims): Promise<void> {
    await this.logoutService.logoutAll(token.sub);
  }
}

function credentialsOf(body: unknown): { username: string; password: string } {
  const { username, password } = (body ?? {}) as { username?: unknown; password?: unknown };
  if (typeof username === 'string' && typeof password === 'string') {
    if (username !== '' && password !== '') return { username, password };
  }
  throw new AuthException(
    400,
    'credentials_missing',
    'Send username and password, both as text, in a JSON object.',
  );
}
