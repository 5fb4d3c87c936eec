import { Body, Controller, Get, HttpCode, Post, Req, UseGuards } from '@nestjs/common';
import {
  AccountService,
  AuthException,
  AuthUnauthorizedException,
  CurrentToken,
  JwtAuthGuard,
  limitGuesses,
  type TokenClaims,
} from 'nestjs-logout';
import { Accounts } from './accounts.js';
import { GuessCounter } from './guess-counter.js';

@Controller('me')
@UseGuards(JwtAuthGuard)
export class MeController {
  constructor(
    private readonly accounts: Accounts,
    private readonly acts: AccountService,
    private readonly limit: GuessCounter,
  ) {}

  @Get()
  me(@CurrentToken() token: TokenClaims): TokenClaims {
    return token;
  }

  /** Ends every other session of the account. This one stays open. */
  @Post('password')
  @HttpCode(204)
  async changePassword(
    @CurrentToken() token: TokenClaims,
    @Body() body: unknown,
    @Req() request: object,
  ): Promise<void> {
    const { before, after } = passwordsOf(body);
    const { sub, sid } = token;
    const who = await limitGuesses(this.limit, sub, request, () =>
      this.accounts.verifyCredentials({ username: sub, password: before }),
    );
    if (who === null) {
      throw new AuthUnauthorizedException('credentials_invalid', 'The old password is wrong.');
    }
    await this.accounts.changePassword(sub, after, () =>
      this.acts.passwordChanged(sub, { keepSession: sid, actor: sub }),
    );
  }
}

function passwordsOf(body: unknown): { before: string; after: string } {
  const { old: before, new: after } = (body ?? {}) as { old?: unknown; new?: unknown };
  if (typeof before === 'string' && typeof after === 'string') {
    if (before !== '' && after !== '') return { before, after };
  }
  throw new AuthException(
    400,
    'credentials_missing',
    'Send old and new, both as strings, in a JSON object.',
  );
}
