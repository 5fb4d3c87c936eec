import { PassportStrategy } from '@nestjs/passport';
import passport from 'passport';

/** The methods that passport adds to a strategy for each request. */
interface PassportActions {
  success(user: unknown, info?: unknown): void;
  fail(challenge?: unknown, status?: number): void;
  error(error: unknown): void;
}

type Middleware = (request: object, response: unknown, next: (error?: unknown) => void) => void;

/** The part of passport that is used. Passport itself finds strategies with `_strategy`. */
interface PassportRegistry {
  authenticate(strategy: unknown, options: object, done: (...answer: never[]) => void): Middleware;
  use(name: string, strategy: unknown): unknown;
  unuse(name: string): unknown;
  _strategy(name: string): unknown;
}

// It is typed here, so that the types of this package do not need @types/passport.
export const BaseStrategy = passport.Strategy as unknown as new () => PassportActions;

/**
 * The instance of passport that AuthGuard uses, even if the application has a second copy of
 * passport.
 */
export const PASSPORT: PassportRegistry = PassportStrategy(
  passport.Strategy,
).prototype.getPassportInstance();

/** The registered strategy with this name, or `undefined`. */
export function holderOf(name: string): unknown {
  // oxlint-disable-next-line no-underscore-dangle -- passport has no other way to ask.
  return PASSPORT._strategy(name);
}
