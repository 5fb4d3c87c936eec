import { AuthWiringError } from './auth-wiring.error.js';

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
