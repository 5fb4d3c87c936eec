import { Controller, Get, Header, UseGuards } from '@nestjs/common';
import { CurrentToken, JwtAuthGuard, type TokenClaims } from 'nestjs-logout';

@Controller('me')
@UseGuards(JwtAuthGuard)
export class MeController {
  @Get()
  @Header('Cache-Control', 'no-store')
  me(@CurrentToken() token: TokenClaims): TokenClaims {
    return token;
  }
}
