import { Reflector } from '@nestjs/core';

/**
 * The route is open to everybody; its token, if any, is not even read.
 *
 * @example
 * ```ts
 * @Public() @Get('health') health() { … }
 * ```
 * @publicApi
 */
export const Public = Reflector.createDecorator<boolean | undefined, boolean>({
  // A fixed key survives two copies of the package; without the transform the value would be {}.
  key: 'nestjs-logout:public',
  transform: (value = true) => value,
});
