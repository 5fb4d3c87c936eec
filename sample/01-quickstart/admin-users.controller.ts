import { Body, Controller, Delete, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import {
  AccountService,
  AuthException,
  CurrentToken,
  JwtAuthGuard,
  type TokenClaims,
} from 'nestjs-logout';
import { Accounts } from './accounts.js';
import { AdminGuard } from './admin.guard.js';

const LONGEST_LOCK = 366 * 86_400;

@Controller('admin/users/:name')
@UseGuards(JwtAuthGuard, AdminGuard)
export class AdminUsersController {
  constructor(
    private readonly accounts: Accounts,
    private readonly acts: AccountService,
  ) {}

  /** The lock ends by itself. Tokens that were issued before it stay revoked. */
  @Post('lock')
  @HttpCode(204)
  async lock(
    @Param('name') name: string,
    @Body() body: unknown,
    @CurrentToken() admin: TokenClaims,
  ): Promise<void> {
    await this.mustExist(name);
    await this.acts.lock(name, secondsOf(body), { actor: admin.sub });
  }

  @Post('unlock')
  @HttpCode(204)
  async unlock(@Param('name') name: string, @CurrentToken() admin: TokenClaims): Promise<void> {
    await this.mustExist(name);
    await this.acts.unlock(name, { actor: admin.sub });
  }

  @Post('disable')
  @HttpCode(204)
  async disable(@Param('name') name: string, @CurrentToken() admin: TokenClaims): Promise<void> {
    await this.mustExist(name);
    await this.acts.disable(name, { actor: admin.sub });
  }

  @Post('enable')
  @HttpCode(204)
  async enable(@Param('name') name: string, @CurrentToken() admin: TokenClaims): Promise<void> {
    await this.mustExist(name);
    await this.acts.enable(name, { actor: admin.sub });
  }

  @Delete()
  @HttpCode(204)
  async remove(@Param('name') name: string, @CurrentToken() admin: TokenClaims): Promise<void> {
    await this.mustExist(name);
    await this.accounts.remove(name, () => this.acts.remove(name, { actor: admin.sub }));
  }

  private async mustExist(name: string): Promise<void> {
    if (await this.accounts.exists(name)) return;
    throw new AuthException(404, 'not_found', 'There is no account with this name.');
  }
}

function secondsOf(body: unknown): number {
  const { seconds } = (body ?? {}) as { seconds?: unknown };
  if (Number.isSafeInteger(seconds)) {
    const whole = seconds as number;
    if (whole >= 1 && whole <= LONGEST_LOCK) return whole;
  }
  throw new AuthException(
    400,
    'invalid_request',
    `Send seconds, a whole number from 1 to ${LONGEST_LOCK}, in a JSON object.`,
  );
}
