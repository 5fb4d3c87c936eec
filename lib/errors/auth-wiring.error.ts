/**
 * The application is put together in a way that would leave a door open: thrown at boot where that
 * is possible, else at the first request, never swallowed.
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
