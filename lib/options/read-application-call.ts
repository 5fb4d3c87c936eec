import { ApplicationMethod, isClassWith } from './application-method.js';
import type { ClaimsValidator } from './auth-options.js';
import { describeKind, type OptionProblems } from './option-problems.js';
import type { ClaimsLoader } from './session-settings.js';

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
