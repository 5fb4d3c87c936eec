/**
 * A mistake in the set-up, or in a call, that would weaken security or cannot work. It is thrown at boot if
 * possible, otherwise at the first request or call. It is not an `HttpException`: a client gets a plain 500.
 *
 * The message says what happened and what to change.
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

/** One wrong option: its name, what was given, and the fix. @publicApi */
export interface OptionProblem {
  /** The option's name, with its place in a list: `issuer`, `keys[1].kid`. */
  readonly option: string;
  /** What was given, described without secret material: `a string of 12 characters`. */
  readonly given: string;
  /** What to write instead, as a sentence. */
  readonly fix: string;
}

/**
 * The options of `AuthModule` are wrong. It stops the boot, or makes `KeyService.reload()` fail.
 *
 * It lists **all** problems, so that you can fix them at once. A message never contains a secret or a key:
 * their kind and length are shown instead. The same holds for URLs and for texts of more than 24 characters,
 * in case a secret was given for the wrong option.
 *
 * @example
 * ```ts
 * try {
 *   await NestFactory.createApplicationContext(AppModule, { abortOnError: false });
 * } catch (error) {
 *   if (error instanceof InvalidAuthOptionsError) console.error(error.problems.map((p) => p.option));
 * }
 * ```
 * @publicApi
 */
export class InvalidAuthOptionsError extends AuthWiringError {
  /** All problems, in the order of the message. */
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
 * Loads an optional package (a peer dependency) when it is needed.
 *
 * @param wanted - The option or function that needs it, for the message.
 * @throws AuthWiringError if it is not installed. Errors of the package itself are passed on.
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

/**
 * Whether the error means that this package is not installed, in ESM, CommonJS or Jest. A missing dependency
 * of the package has the same code, so the name is compared too.
 */
function isMissing(error: unknown, name: string): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return (
    (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') &&
    new RegExp(`Cannot find (package|module) '${name}'`).test(String(message))
  );
}
