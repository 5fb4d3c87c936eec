import { randomUUID } from 'node:crypto';
import { Body, Controller, Post, UnauthorizedException } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';

@Controller('auth')
export class AccountController {
  constructor(private readonly jwt: JwtService) {}

  @Post('login')
  async login(@Body() { username, password }: { username: string; password: string }) {
    if (username !== 'john' || password !== 'changeme') throw new UnauthorizedException();
    return { access_token: this.jwt.sign({ sub: username, jti: randomUUID() }) };
  }
}
