import type { Type } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import type { Check } from './option-checks.js';
import { describeKind } from './option-problems.js';

/**
 * The method of a class that an option names, such as `claims: UsersService`. The class is a provider
 * of the application; its instance is looked up after all instances were made. So the class may
 * inject `LogoutService`, and no cycle arises.
 */
export class ApplicationMethod {
  private instance: Readonly<Record<string, unknown>> | undefined;

  constructor(
    private readonly option: string,
    private readonly type: Type,
    private readonly method: string,
  ) {}

  /** @throws AuthWiringError when there is no single instance, or it has no such method. */
  find(modules: ModuleRef): Readonly<Record<string, unknown>> {
    if (this.instance !== undefined) return this.instance;
    const { option, type, method } = this;
    let found: unknown;
    try {
      found = modules.get<unknown>(type, { strict: false });
    } catch (error) {
      throw new AuthWiringError(
        `${option} names the class ${type.name}, of which there is no single instance: ` +
          `${error instanceof Error ? error.message : 'it cannot be found'}`,
        `Add ${type.name} to the providers of one of the application's modules, not request-scoped.`,
        `Give a function instead of the class.`,
      );
    }
    const instance = (found ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof instance[method] === 'function') return (this.instance = instance);
    throw new AuthWiringError(
      `${option} names the class ${type.name}, which has no method ${method}().`,
      `Add the method ${method}() to ${type.name}.`,
      `Give a function instead of the class.`,
    );
  }

  /**
   * The method as a function; its instance is looked up at the first call, which may come while the
   * application starts. What it throws passes through.
   */
  bind(modules: ModuleRef): ApplicationFunction {
    return (...args) => {
      const instance = this.find(modules);
      return Reflect.apply(instance[this.method] as () => unknown, instance, args);
    };
  }
}

/** A function of the application, as the library calls it. */
type ApplicationFunction = (...args: readonly unknown[]) => unknown;

/** What an option for a function of the application was given: the function, or a class that has it. */
export type ApplicationCall<F> = F | ApplicationMethod;

/**
 * A function of the application, or a class with such a method, for an option that may be missing.
 *
 * @param example - How the function looks.
 */
export function applicationCall<F>(
  method: string,
  example: string,
): Check<ApplicationCall<F> | undefined> {
  return (given, option, problems) => {
    if (isClassWith(given, method)) return new ApplicationMethod(option, given, method);
    if (given === undefined || typeof given === 'function') return given as F | undefined;
    problems.add(
      option,
      describeKind(given),
      `Give a function ${example}, which may be async, or a class with such a method ${method}() ` +
        'that is a provider of the application.',
    );
    return undefined;
  };
}

/** Whether an option names a class. One that was compiled to a function has the method on its prototype. */
function isClassWith(given: unknown, method: string): given is Type {
  if (typeof given !== 'function') return false;
  const { prototype } = given as { prototype?: object };
  return (
    typeof (prototype === undefined ? undefined : Reflect.get(prototype, method)) === 'function' ||
    /^class\b/.test(Function.prototype.toString.call(given))
  );
}
