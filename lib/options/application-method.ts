import type { Type } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { type Check, refused, wrongKind } from './option-checks.js';

/**
 * What an option such as `claims: UsersService` names: a class of the application with one method, or a
 * plain function. A class is a provider; its instance is looked up after all instances were made. So it
 * may inject `LogoutService` without a cycle.
 */
export class ApplicationMethod<Source extends object> {
  /**
   * The object whose method is called. Callers read this field and call {@link find} only where it is
   * missing. They call the method on the object, not a copy of it, so that a test can replace it there.
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

  /** The same for one application: two of them may be made from one module definition. */
  in(modules: ModuleRef | undefined): ApplicationMethod<Source> {
    return new ApplicationMethod(this.option, this.method, this.given, modules);
  }

  /** @throws AuthWiringError when there is no single instance, or it has no such method. */
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

/** What the checks of such options know: what was given beside `useFactory`, and where classes are found. */
export interface Registration {
  readonly registered?: Readonly<Record<string, unknown>>;
  readonly modules?: ModuleRef | undefined;
}

/**
 * A function of the application, or a class with such a method, for an option that may be missing.
 *
 * @param example - How the function looks.
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

/** Whether an option names a class. One that was compiled to a function has the method on its prototype. */
function isClassWith(given: object, method: string): boolean {
  const { prototype } = given as { prototype?: object };
  return (
    typeof (prototype === undefined ? undefined : Reflect.get(prototype, method)) === 'function' ||
    /^class\b/.test(Function.prototype.toString.call(given))
  );
}
