import { Controller, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import {
  AuthException,
  CurrentToken,
  JwtAuthGuard,
  LogoutService,
  type TokenClaims,
} from 'nestjs-logout';
import { SigningKeys } from './signing-keys.js';

@Controller('admin')
@UseGuards(JwtAuthGuard)
export class AdminController {
  constructor(
    private readonly logoutService: LogoutService,
    private readonly keys: SigningKeys,
  ) {}

  @Post('keys/:kid/revoke')
  @HttpCode(204)
  async revokeKey(@CurrentToken() token: TokenClaims, @Param('kid') kid: string): Promise<void> {
    if (token['role'] !== 'admin') {
      throw new AuthException(403, 'forbidden', 'Only the admin may do this.');
    }
    if (!this.keys.kids.includes(kid)) {
      throw new AuthException(404, 'not_found', 'There is no key with this kid.');
    }
    await this.logoutService.revokeKey(kid, { actor: token.sub });
  }
}
