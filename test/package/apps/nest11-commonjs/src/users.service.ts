import { Injectable } from '@nestjs/common';
import { LogoutService, type ClaimsSource } from 'nestjs-logout';

/** It returns claims, and it logs out: named beside useFactory, that is no cycle. */
@Injectable()
export class UsersService implements ClaimsSource {
  constructor(private readonly logoutService: LogoutService) {}

  claims(subject: string) {
    return { username: subject };
  }

  async disable(id: string) {
    await this.logoutService.logoutAll(id);
  }
}
