import type { ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { AuthUnauthorizedException } from '../errors/auth.exception.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';

/** Nest's own exception filter, without sending a response. */
class Probe extends BaseExceptionFilter {
  isKnown = true;

  constructor() {
    super({ isHeadersSent: () => false, reply: () => undefined } as never);
  }

  /** Nest answers 500 to what is no HttpException of the copy of @nestjs/common that it uses itself. */
  override handleUnknownError(): void {
    this.isKnown = false;
  }
}

/**
 * A second copy of @nestjs/common below this package would turn every 401 into a 500.
 *
 * @throws AuthWiringError when Nest would not know our refusals.
 */
export function assertOneCopyOfNest(
  refusal: Error = new AuthUnauthorizedException('token_missing', 'A sample.'),
): void {
  const probe = new Probe();
  probe.catch(refusal, { getArgByIndex: () => undefined } as unknown as ArgumentsHost);
  if (probe.isKnown) return;
  throw new AuthWiringError(
    'There are two copies of @nestjs/common: nestjs-logout and the application use different ones, ' +
      'so each refusal would be answered with 500 instead of 401.',
    'See where they are: npm ls @nestjs/common. Then: npm dedupe, or give both the same major version.',
    'In a monorepo or with npm link, let nestjs-logout use the copy of the application.',
  );
}
