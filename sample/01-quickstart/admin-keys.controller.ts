import { Controller, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import {
  AuthException,
  CurrentToken,
  JwtAuthGuard,
  LogoutService,
  type TokenClaims,
} from 'nestjs-logout';
import { AdminGuard } from './admin.guard.js';
import { SigningKeys } from './signing-keys.js';

@Controller('admin/keys')
@UseGuards(JwtAuthGuard, AdminGuard)
export class AdminKeysController {
  constructor(
    private readonly logoutService: LogoutService,
    private readonly keys: SigningKeys,
  ) {}

  @Post(':kid/revoke')
  @HttpCode(204)
  async revokeKey(@CurrentToken() token: TokenClaims, @Param('kid') kid: string): Promise<void> {
    if (!this.keys.kids.includes(kid)) {
      throw new AuthException(404, 'not_found', 'There is no key with this kid.');
    }
    await this.logoutService.revokeKey(kid, { actor: token.sub });
  }
}
