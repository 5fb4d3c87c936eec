import { errorCodeOf } from './driver-error.js';

/** The database is there and says no: to the user, to the password, or to the name of the database. */
const REFUSALS: ReadonlySet<string> = new Set([
  '28000',
  '28P01',
  '3D000',
  'ER_ACCESS_DENIED_ERROR',
  'ER_ACCESS_DENIED_NO_PASSWORD_ERROR',
  'ER_BAD_DB_ERROR',
  'ER_DBACCESS_DENIED_ERROR',
]);

/** Whether the database refused to let the log connect, as it does after its password was changed. */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = errorCodeOf(error);
  return (code !== undefined && REFUSALS.has(code)) || isRefusal(error.cause);
}
