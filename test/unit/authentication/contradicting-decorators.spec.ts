import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, SetMetadata, type Type, UseGuards } from '@nestjs/common';
import { AllowExpired, OptionalAuth, Public } from '../../../lib/authentication/decorators.js';
import { JwtAuthGuard } from '../../../lib/authentication/jwt-auth.guard.js';
import { AuthWiringError } from '../../../lib/errors/auth-wiring.error.js';
import { RecentLogin } from '../../../lib/revocation/recent-login.js';
import { Freshness, WhenStale } from '../../../lib/revocation/staleness/freshness.decorators.js';
import {
  answerOf,
  FakeRevocation,
  hmacKey,
  optionsWith,
  startApp,
  type TestApp,
} from '../../support/authentication-parts.js';

@Controller('account')
@UseGuards(JwtAuthGuard)
class RecentOnHandler {
  @Public() @RecentLogin('5m') @Get() handle(): void {}
}

@Controller('account')
class OptionalOnHandler {
  @Public() @OptionalAuth() @Get() handle(): void {}
}

@Controller('account')
class ExpiredOnHandler {
  @Public() @AllowExpired() @Get() handle(): void {}
}

@Controller('account')
class MarkedByAnotherLibrary {
  @SetMetadata('isPublic', true) @RecentLogin('5m') @Get() handle(): void {}
}

@Public()
@RecentLogin('5m')
@Controller('account')
class OnClass {
  @Get() handle(): void {}
}

@Controller('account')
class FreshExpired {
  @AllowExpired() @Freshness('strict') @Get() handle(): void {}
}

@Controller('account')
class StaleExpired {
  @AllowExpired() @WhenStale('closed') @Get() handle(): void {}
}

@AllowExpired()
@Freshness(2)
@Controller('account')
class FreshExpiredClass {
  @Get() handle(): void {}
}

@Public()
class Base {}

@RecentLogin('5m')
@Controller('account')
class OfBaseClass extends Base {
  @Get() handle(): void {}
}

/** As a gateway, a resolver or a message handler: no controller. */
@Injectable()
class Consumer {
  @Public() @RecentLogin('5m') handle(): void {}
}

@Controller('good')
@UseGuards(JwtAuthGuard)
@RecentLogin('5m')
class Good {
  @Public() @Get('open') open(): void {}
  @Public(false) @Get('recent') recent(): void {}
  @OptionalAuth() @Get('optional') optional(): void {}
  // For a RevocationGuard behind another authentication.
  @Public() @Freshness('strict') @Get('strict') strict(): void {}
  @Public() @WhenStale('closed') @Get('closed') closed(): void {}
  @AllowExpired(false) @Freshness('strict') @Get('both') both(): void {}
}

@Controller('open')
@UseGuards(JwtAuthGuard)
@Public()
class OpenClass {
  @RecentLogin('5m') @Get('recent') recent(): void {}
}

const key = hmacKey('k');

function start(controllers: Type[], providers: Type[] = []): Promise<TestApp> {
  const options = optionsWith([key], { publicMetadataKey: 'isPublic' });
  return startApp('express', options, new FakeRevocation(), { controllers, providers });
}

/** The error that stopped the boot. */
async function errorOf(starting: Promise<TestApp>): Promise<unknown> {
  try {
    await (await starting).close();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('decorators that contradict each other', () => {
  it.each([
    [RecentOnHandler, 'RecentOnHandler.handle', '@RecentLogin()'],
    [OptionalOnHandler, 'OptionalOnHandler.handle', '@OptionalAuth()'],
    [ExpiredOnHandler, 'ExpiredOnHandler.handle', '@AllowExpired()'],
    [MarkedByAnotherLibrary, 'MarkedByAnotherLibrary.handle', '@RecentLogin()'],
    [OnClass, 'OnClass', '@RecentLogin()'],
    [OfBaseClass, 'OfBaseClass', '@RecentLogin()'],
  ])('contradicting decorators stop the boot: %p', async (controller, place, other) => {
    const error = await errorOf(start([controller]));
    expect(error).toBeInstanceOf(AuthWiringError);
    const { message } = error as AuthWiringError;
    expect(message).toContain(`${place} is public`);
    expect(message).toContain(`Remove ${other}`);
    expect(message).toContain('Or remove @Public()');
  });

  it.each([
    [FreshExpired, 'FreshExpired.handle', '@Freshness()'],
    [StaleExpired, 'StaleExpired.handle', '@WhenStale()'],
    [FreshExpiredClass, 'FreshExpiredClass', '@Freshness()'],
  ])(
    'a decorator about proofs beside @AllowExpired() stops the boot: %p',
    async (controller, place, other) => {
      const error = await errorOf(start([controller]));
      expect(error).toBeInstanceOf(AuthWiringError);
      const { message } = error as AuthWiringError;
      expect(message).toContain(`${place} has @AllowExpired()`);
      expect(message).toContain(`its ${other} would do nothing`);
      expect(message).toContain('Remove @AllowExpired()');
    },
  );

  it('contradicting decorators stop the boot also outside controllers', async () => {
    const error = await errorOf(start([], [Consumer]));
    expect(error).toBeInstanceOf(AuthWiringError);
    expect((error as AuthWiringError).message).toContain('Consumer.handle is public');
  });

  it('decorators do not contradict each other if the handler overrides its class', async () => {
    const app = await start([Good, OpenClass]);
    try {
      expect(await answerOf(app.get('/good/open'))).toEqual([200, undefined]);
      expect(await answerOf(app.get('/good/optional'))).toEqual([200, undefined]);
      expect(await answerOf(app.get('/good/strict'))).toEqual([200, undefined]);
      expect(await answerOf(app.get('/good/closed'))).toEqual([200, undefined]);
      expect(await answerOf(app.get('/good/both'))).toEqual([401, 'token_missing']);
      expect(await answerOf(app.get('/good/recent'))).toEqual([401, 'token_missing']);
      expect(await answerOf(app.get('/open/recent'))).toEqual([401, 'token_missing']);
    } finally {
      await app.close();
    }
  });
});
