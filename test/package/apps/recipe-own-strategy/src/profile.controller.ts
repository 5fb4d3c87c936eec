import { Controller, Get, Request, UseGuards } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import type { Payload } from './jwt.strategy.js';

@Controller('profile')
export class ProfileController {
  @UseGuards(AuthGuard('jwt'))
  @Get()
  profile(@Request() { user }: { user: Payload }) {
    return { username: user.sub };
  }
}
