import {
  createParamDecorator,
  type ExecutionContext,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { requestOf } from '../platform/execution-context.js';

/**
 * The user that the option `validate` made of the claims (by default the claims), or one of its
 * properties; `undefined` where nobody is logged in.
 *
 * @example
 * ```ts
 * @Get('me') me(@CurrentUser() user: User, @CurrentUser('name') name: string) { … }
 * ```
 * @publicApi
 */
// The type is said, because the one that would be inferred exists in Nest 12 only.
export const CurrentUser: (
  ...propertyOrPipes: (string | PipeTransform | Type<PipeTransform> | undefined)[]
) => ParameterDecorator = createParamDecorator(
  (property: string | undefined, context: ExecutionContext): unknown => {
    const { user } = requestOf(context) as { user?: Record<string, unknown> | null };
    if (user === undefined || user === null) return undefined;
    return property === undefined ? user : user[property];
  },
);
