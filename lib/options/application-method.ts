import type { Type } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { type Check, refused, wrongKind } from './option-checks.js';

/**
 * The value of an option such as `claims: UsersService`: a provider class of the application with this
 * method, or a plain function. The instance of a class is looked up after all instances exist, so it may
 * inject `LogoutService` without a cycle.
 */
export class ApplicationMethod<Source extends object> {
  /**
   * The object whose method is called. Callers read this field, and call {@link find} only if it is
   * `undefined`. They call the method on this object, so that a test can replace the method there.
   */
  source: Source | undefined;

  constructor(
    private readonly option: string,
    private readonly method: string,
    private readonly given: Type<Source> | ((...args: never) => unknown),
    private readonly modules?: ModuleRef,
  ) {
    if (!isClassWith(given, method)) this.source = { [method]: given } as Source;
  }

  /** A copy for one application, because two applications may be created from one module definition. */
  in(modules: ModuleRef | undefined): ApplicationMethod<Source> {
    return new ApplicationMethod(this.option, this.method, this.given, modules);
  }

  /** @throws AuthWiringError if the class has no singleton instance, or does not have the method. */
  find(): Source {
    if (this.source !== undefined) return this.source;
    const { option, method } = this;
    const type = this.given as Type<Source>;
    let found: unknown;
    try {
      found = this.modules?.get<unknown>(type, { strict: false });
    } catch (error) {
      throw new AuthWiringError(
        `${option} names the class ${type.name}, which has no singleton instance:  ` +
          `${error instanceof Error ? error.message : 'it cannot be found'}`,
        `Add ${type.name} to the providers of one of the application's modules, not request-scoped.`,
        `Give a function instead of the class.`,
      );
    }
    const source = (found ?? {}) as Source;
    if (typeof Reflect.get(source, method) === 'function') return (this.source = source);
    throw new AuthWiringError(
      `${option} names the class ${type.name}, which has no method ${method}().`,
      `Add the method ${method}() to ${type.name}.`,
      `Give a function instead of the class.`,
    );
  }
}

/**
 * What the checks of such options use: the options given beside `useFactory`, and where to look classes up.
 */
export interface Registration {
  readonly registered?: Readonly<Record<string, unknown>>;
  readonly modules?: ModuleRef | undefined;
}

/**
 * The check of an optional option that takes a function, or a class with such a method.
 *
 * @param example - The signature of the function, for the error message.
 */
export function applicationMethod<Source extends object>(
  method: string & keyof Source,
  example: string,
): Check<ApplicationMethod<Source> | undefined, Registration> {
  return (returned, option, { registered, modules }) => {
    const beside = registered?.[method];
    if (beside !== undefined && returned !== undefined) {
      const both = 'one beside useFactory and one returned by it';
      throw refused(option, both, 'Use one of them.');
    }
    const given = returned === undefined ? beside : returned;
    if (given === undefined) return undefined;
    if (typeof given === 'function')
      return new ApplicationMethod<Source>(option, method, given as Type<Source>, modules);
    throw wrongKind(
      option,
      given,
      `Give a function ${example}, which may be async, or a class with such a method ${method}() ` +
        'that is a provider of the application.',
    );
  };
}

/** Whether an option is a class. Compiled to ES5, a class is a function with methods on its prototype. */
function isClassWith(given: object, method: string): boolean {
  const { prototype } = given as { prototype?: object };
  return (
    typeof (prototype === undefined ? undefined : Reflect.get(prototype, method)) === 'function' ||
    /^class\b/.test(Function.prototype.toString.call(given))
  );
}
