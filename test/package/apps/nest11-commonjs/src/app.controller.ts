import { Controller, Get } from '@nestjs/common';
import { CurrentUser, Public } from 'nestjs-logout';
import { AppService } from './app.service';

@Controller()
export class AppController {
  constructor(private readonly appService: AppService) {}

  @Public()
  @Get()
  getHello(): string {
    return this.appService.getHello();
  }

  @Get('profile')
  profile(@CurrentUser() user: object): object {
    return user;
  }
}
