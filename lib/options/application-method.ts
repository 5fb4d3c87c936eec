import type { Type } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import type { ClaimsValidator } from './auth-options.js';
import { describeKind, type OptionProblems } from './option-problems.js';
import type { ClaimsLoader } from './session-settings.js';

/**
 * The method of a class that an option names, such as `claims: UsersService`. The class is a provider
 * of the application; its instance is looked up after all instances were made. So the class may
 * inject `LogoutService`, and no cycle arises.
 *
 * @internal
 */
export class ApplicationMethod {
  private modules: ModuleRef | undefined;
  private instance: Readonly<Record<string, unknown>> | undefined;

  constructor(
    readonly option: string,
    private readonly type: Type,
    private readonly method: string,
  ) {}

  /** Called once, while the module is made; it looks nothing up. */
  attach(modules: ModuleRef): void {
    this.modules = modules;
  }

  /** @throws AuthWiringError when there is no single instance, or it has no such method. */
  find(): Readonly<Record<string, unknown>> {
    if (this.instance !== undefined) return this.instance;
    const { option, type, method } = this;
    let found: unknown;
    try {
      found = this.modules?.get<unknown>(type, { strict: false });
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

  /** What the method returns; what it throws passes through. */
  call(...args: readonly unknown[]): unknown {
    const instance = this.find();
    return Reflect.apply(instance[this.method] as () => unknown, instance, args);
  }
}

/**
 * Whether an option names a class. A class that was compiled to a function is recognised by the
 * method on its prototype.
 *
 * @internal
 */
export function isClassWith(given: unknown, method: string): given is Type {
  if (typeof given !== 'function') return false;
  const { prototype } = given as { prototype?: object };
  return (
    typeof (prototype === undefined ? undefined : Reflect.get(prototype, method)) === 'function' ||
    /^class\b/.test(Function.prototype.toString.call(given))
  );
}

/** What may be given beside `useFactory` instead of being returned by it. @internal */
export interface RegisteredCalls {
  readonly claims?: unknown;
  readonly validate?: unknown;
}

/** Reads the options that are functions of the application, or classes with such a method. */
export class ApplicationCallReader {
  private readonly methods: ApplicationMethod[] = [];

  constructor(
    private readonly registered: RegisteredCalls,
    private readonly problems: OptionProblems,
  ) {}

  /** The classes that were named. */
  get found(): readonly ApplicationMethod[] {
    return this.methods;
  }

  claims(returned: unknown): ClaimsLoader | undefined {
    return this.read('claims', returned, '(subject, context) => ({ role: … })') as
      ClaimsLoader | undefined;
  }

  validate(returned: unknown): ClaimsValidator | undefined {
    return this.read('validate', returned, '(claims, request) => user') as
      ClaimsValidator | undefined;
  }

  private read(
    option: keyof RegisteredCalls,
    returned: unknown,
    example: string,
  ): ((...args: readonly never[]) => unknown) | undefined {
    const beside = this.registered[option];
    if (beside !== undefined && returned !== undefined) {
      this.problems.add(
        option,
        'one beside useFactory and one returned by it',
        'Give one of them.',
      );
      return undefined;
    }
    const given = beside ?? returned;
    if (given === undefined) return undefined;
    if (isClassWith(given, option)) {
      const method = new ApplicationMethod(option, given, option);
      this.methods.push(method);
      return (...args) => method.call(...args);
    }
    if (typeof given === 'function') return given as (...args: readonly never[]) => unknown;
    this.problems.add(
      option,
      describeKind(given),
      `Give a function ${example}, which may be async, or a class with such a method ${option}().`,
    );
    return undefined;
  }
}
