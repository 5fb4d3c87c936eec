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
