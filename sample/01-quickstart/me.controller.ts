import { Controller, Get, UseGuards } from '@nestjs/common';
import { CurrentToken, JwtAuthGuard, type TokenClaims } from 'nestjs-logout';

@Controller('me')
@UseGuards(JwtAuthGuard)
export class MeController {
  @Get()
  me(@CurrentToken() token: TokenClaims): TokenClaims {
    return token;
  }
}
