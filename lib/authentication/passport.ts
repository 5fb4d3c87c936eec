import { PassportStrategy } from '@nestjs/passport';
import passport from 'passport';

/** What passport gives to the object that it makes of a strategy for each request. */
interface PassportActions {
  success(user: unknown, info?: unknown): void;
  fail(challenge?: unknown, status?: number): void;
  error(error: unknown): void;
}

type Middleware = (request: object, response: unknown, next: (error?: unknown) => void) => void;

/** What is used of passport; `_strategy` is how passport itself looks a strategy up. */
interface PassportRegistry {
  authenticate(strategy: unknown, options: object, done: (...answer: never[]) => void): Middleware;
  use(name: string, strategy: unknown): unknown;
  unuse(name: string): unknown;
  _strategy(name: string): unknown;
}

// Typed here, so that the package's types do not need @types/passport.
export const BaseStrategy = passport.Strategy as unknown as new () => PassportActions;

/** The passport that AuthGuard asks, even where the application has a second copy of it. */
export const PASSPORT: PassportRegistry = PassportStrategy(
  passport.Strategy,
).prototype.getPassportInstance();

/** The strategy that has this name; `undefined` where none has. */
export function holderOf(name: string): unknown {
  // oxlint-disable-next-line no-underscore-dangle -- passport has no other way to ask.
  return PASSPORT._strategy(name);
}
