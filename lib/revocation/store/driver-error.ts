/** The driver's own error code, also where TypeORM wrapped the error in its QueryFailedError. */
export function errorCodeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { driverError } = error as { driverError?: unknown };
  if (driverError !== undefined && driverError !== error) {
    const inner = errorCodeOf(driverError);
    if (inner !== undefined) return inner;
  }
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}
