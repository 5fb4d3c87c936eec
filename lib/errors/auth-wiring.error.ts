/**
 * A mistake in the set-up or in a call that would weaken security. It is thrown at boot if possible, otherwise
 * at the first request or call.
 *
 * The message says what happened, and what to change.
 *
 * @publicApi
 */
export class AuthWiringError extends Error {
  constructor(what: string, ...solutions: string[]) {
    const fix = solutions.map((solution, index) => `\n  ${index + 1}. ${solution}`).join('');
    super(fix === '' ? what : `${what}\nPotential solutions:${fix}`);
    this.name = 'AuthWiringError';
  }
}

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
 * The options of `AuthModule` are wrong. It stops the boot, or refuses a `KeyService.reload()`.
 *
 * It lists **all** problems, so that they can be fixed at once. No message holds a secret or a key: those
 * are described by kind and length only, and so is every URL and every text of more than 24 characters,
 * in case a secret was put into the wrong option.
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

/**
 * An optional package that one of our sub-paths needs, loaded when it is needed.
 *
 * @param wanted - What the application called, for the message.
 * @throws AuthWiringError when it is not installed; what it throws itself passes through.
 */
export async function importPeer<T>(
  wanted: string,
  name: string,
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!isMissing(error, name)) throw error;
    throw new AuthWiringError(
      `AuthModule: ${wanted} needs the package ${name}, which is not installed.`,
      `npm install ${name}`,
    );
  }
}

/** Of ESM, CommonJS, and Jest; not that of a package that this one lacks. */
function isMissing(error: unknown, name: string): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return (
    (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') &&
    new RegExp(`Cannot find (package|module) '${name}'`).test(String(message))
  );
}
