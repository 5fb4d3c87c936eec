import {
  createParamDecorator,
  type ExecutionContext,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { requestOf } from '../platform/execution-context.js';
import type { TokenClaims } from '../options/token-claims.js';
import { claimsOf } from '../revocation/claims-storage.js';

/**
 * The verified claims of the request's token, whatever `request.user` is; `undefined` where there is
 * no token.
 *
 * @example
 * ```ts
 * @AllowExpired() @Post('logout') logout(@CurrentToken() token: TokenClaims) {
 *   return this.logoutService.logout(token);
 * }
 * ```
 * @publicApi
 */
export const CurrentToken: (
  ...pipes: (PipeTransform | Type<PipeTransform>)[]
) => ParameterDecorator = createParamDecorator(
  (_: unknown, context: ExecutionContext): TokenClaims | undefined => claimsOf(requestOf(context)),
);
