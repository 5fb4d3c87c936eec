/**
 * How often a test repeats something, where more repetitions find more.
 *
 * @param short - In `npm test`.
 * @param long - In `npm run test:long`, and in `npm run test:mutations`.
 */
export function rounds(short: number, long: number): number {
  return process.env['LONG_RUN'] === undefined ? short : long;
}
