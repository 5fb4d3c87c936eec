import { AuthWiringError } from '../errors/auth-wiring.error.js';

/** One thing that is wrong with the options: where, what was given, and what to do about it. */
export interface OptionProblem {
  /** The option's name, with its place in a list: `issuer`, `keys[1].kid`. */
  readonly option: string;
  /** What was given, in words that never hold secret material: `a string of 12 characters`. */
  readonly given: string;
  /** What to write instead. */
  readonly fix: string;
}

/**
 * The options given to `AuthModule` are wrong: stops the boot, or refuses a `KeyService.reload()`.
 *
 * It lists **all** problems that were found, so that nobody has to mend them one boot at a time. No
 * message holds a secret or a key: those are described by kind and length only, and so is every
 * URL and every text of more than 24 characters, in case a secret was put into the wrong option.
 *
 * @example
 * ```ts
 * try {
 *   resolveAuthOptions(options);
 * } catch (error) {
 *   if (error instanceof InvalidAuthOptionsError) console.error(error.problems.map((p) => p.option));
 * }
 * ```
 * @publicApi
 */
export class InvalidAuthOptionsError extends AuthWiringError {
  readonly problems: readonly OptionProblem[];

  constructor(problems: readonly OptionProblem[]) {
    const count = problems.length === 1 ? 'one option is' : `${problems.length} options are`;
    const lines = problems.map(
      ({ option, given, fix }, index) => `\n  ${index + 1}. ${option}: ${given} was given. ${fix}`,
    );
    super(`The options of AuthModule cannot be used: ${count} wrong.${lines.join('')}`);
    this.name = 'InvalidAuthOptionsError';
    this.problems = problems;
  }
}
