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

/** Whether the server itself sent the error; a code such as EPIPE only looks like an SQLSTATE. */
export function isServerError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { driverError, severity, sqlState, fatal } = error as Record<string, unknown>;
  if (driverError !== undefined && driverError !== error) return isServerError(driverError);
  return (typeof severity === 'string' || typeof sqlState === 'string') && fatal !== true;
}
