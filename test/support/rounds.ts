/**
 * How often a test does what goes wrong by chance only.
 *
 * @param short - In `npm test`.
 * @param long - In `npm run test:long`, and where mutations are looked for.
 */
export function rounds(short: number, long: number): number {
  return process.env['LONG_RUN'] === undefined ? short : long;
}
